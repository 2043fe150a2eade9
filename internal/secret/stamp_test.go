package secret

import (
	"bytes"
	"strings"
	"testing"
)

func TestStampsCannotBeChanged(t *testing.T) {
	k := ring(t, NewMasterKey())
	text, err := k.Stamp("cursor", "env", []byte("payload"), []byte("query"))
	if err != nil {
		t.Fatal(err)
	}
	opens := func(k *Keyring, purpose, env, text, context string) bool {
		t.Helper()
		payload, ok, err := k.Stamped(purpose, env, text, []byte(context))
		if err != nil || ok && string(payload) != "payload" || !ok && payload != nil {
			t.Errorf("%q: %q, %v", text, payload, err)
		}
		return ok
	}
	if !opens(k, "cursor", "env", text, "query") {
		t.Error("it does not open")
	}
	for i := range text {
		changed := []byte(text)
		changed[i] ^= 1
		if opens(k, "cursor", "env", string(changed), "query") {
			t.Errorf("character %d can be changed", i)
		}
		if opens(k, "cursor", "env", text[:i], "query") {
			t.Errorf("it opens when cut to %d", i)
		}
	}
	for what, ok := range map[string]bool{
		"purpose": opens(k, "other", "env", text, "query"), "environment": opens(k, "cursor", "other", text, "query"), "context": opens(k, "cursor", "env", text, "other"),
		"key": opens(ring(t, NewMasterKey()), "cursor", "env", text, "query"), "padding": opens(k, "cursor", "env", text+"=", "query"),
		"line": opens(k, "cursor", "env", text+"\n", "query"), "break": opens(k, "cursor", "env", text[:5]+"\r\n"+text[5:], "query"),
		"length": opens(k, "cursor", "env", strings.Repeat("A", 1000), "query"),
	} {
		if ok {
			t.Errorf("it opens with another %s", what)
		}
	}
	long := bytes.Repeat([]byte("x"), 500)
	if text, err = k.Stamp("cursor", "env", long, nil); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := k.Stamped("cursor", "env", text, nil); !ok || err != nil || !bytes.Equal(got, long) {
		t.Errorf("a long payload: %v, %v", ok, err)
	}
}
