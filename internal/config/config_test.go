package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMaskURL(t *testing.T) {
	for in, want := range map[string]string{
		"sqlite:/var/lib/gatehouse/gatehouse.db":         "sqlite:/var/lib/gatehouse/gatehouse.db",
		"postgres://db/gatehouse":                        "postgres://db/gatehouse",
		"postgres://me@db/gatehouse":                     "postgres://me@db/gatehouse",
		"postgres://me:hunter2@db:5432/g?sslmode=verify": "postgres://me:********@db:5432/g?sslmode=verify",
		"postgres://me:p%40ss%3Aword@db/g":               "postgres://me:********@db/g",
		"postgres://me@db/g?password=hunter2":            "postgres://me@db/g?password=********",
		"postgres://me@db/g?sslpassword=hunter2&a=b":     "postgres://me@db/g?a=b&sslpassword=********",
		"host=db user=me password=hunter2":               "********",
		"postgres://me:hunter2@[db/g":                    "********",
		"postgres://me:hunt%zzer2@db/g":                  "********",
	} {
		if got := MaskURL(in); got != want {
			t.Errorf("MaskURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	list := Settings(
		&Database{DatabaseURL: "postgres://me:hunter2@db/g", MasterKey: "hunter2"},
		&Server{Breach: Breach{BreachSource: "off"}, MetricsToken: "hunter2", TrustedProxies: []string{"10.0.0.0/8", "::1"}, DrainTimeout: 15 * time.Second})
	values := map[string]string{}
	for _, s := range list {
		values[s.Name] = s.Value
		if strings.Contains(s.Value, "hunter2") {
			t.Errorf("%s shows a secret: %s", s.Name, s.Value)
		}
		if s.Help == "" || s.Variable != "GATEHOUSE_"+strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")) {
			t.Errorf("%s has the variable %q and the help %q", s.Name, s.Variable, s.Help)
		}
	}
	for name, want := range map[string]string{
		"trusted-proxies": "10.0.0.0/8,::1", "drain-timeout": "15s", "master-key": masked, "metrics-token": masked, "tls-cert": "",
		"breach-source": "off", "breach-timeout": "0s",
	} {
		if values[name] != want {
			t.Errorf("%s = %q, want %q", name, values[name], want)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Server{Listen: "127.0.0.1:8080", PublicURL: "https://auth.example.com/"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	if got := good.Base(); got != "https://auth.example.com" {
		t.Errorf("Base = %q", got)
	}
	for what, edit := range map[string]func(*Server){
		"--public-url is missing":     func(s *Server) { s.PublicURL = "" },
		"is not a URL":                func(s *Server) { s.PublicURL = "auth.example.com" },
		"such as https://":            func(s *Server) { s.PublicURL = "ftp://auth.example.com" },
		"give both or neither":        func(s *Server) { s.TLSKey = "key.pem" },
		"--sdk-rate-limit must be 0":  func(s *Server) { s.SDKRateLimit = -1 },
		"--breach-timeout must be":    func(s *Server) { s.BreachTimeout = -1 },
		`--listen "8080" is not`:      func(s *Server) { s.Listen = "8080" },
		`"10.0.0.0/33" is neither`:    func(s *Server) { s.TrustedProxies = []string{"10.0.0.0/33"} },
		`"proxy.internal" is neither`: func(s *Server) { s.TrustedProxies = []string{"proxy.internal"} },
	} {
		bad := good
		edit(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Check = %v, want something with %q", err, what)
		}
	}
}

func TestProxies(t *testing.T) {
	s := Server{TrustedProxies: []string{"10.1.2.3/8", "192.0.2.1", "2001:db8::1"}}
	list, err := s.Proxies()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128"}
	for i, p := range list {
		if p.String() != want[i] {
			t.Errorf("proxy %d is %s, want %s", i, p, want[i])
		}
	}
}

func TestReadMasterKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("new\nold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := Database{MasterKeyFile: file}
	if err := d.ReadMasterKey(); err != nil || d.MasterKey != "new,old" {
		t.Errorf("read %q, %v", d.MasterKey, err)
	}
	if err := d.ReadMasterKey(); err == nil {
		t.Error("a key and a file of keys were accepted together")
	}
	if err := (&Database{MasterKeyFile: file + ".gone"}).ReadMasterKey(); err == nil {
		t.Error("a missing file was accepted")
	}
	if err := (&Database{MasterKey: "key"}).ReadMasterKey(); err != nil {
		t.Error(err)
	}
}

func TestTheBundleIsBesideTheDatabase(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:gatehouse.db": "breached-passwords.bundle", "sqlite:/var/lib/gatehouse/gatehouse.db": "/var/lib/gatehouse/breached-passwords.bundle",
		"postgres://db/gatehouse": "",
	} {
		d := Database{DatabaseURL: url}
		if got := (&Breach{}).Bundle(&d); filepath.ToSlash(got) != want {
			t.Errorf("with %s it is %q, want %q", url, got, want)
		}
		if got := (&Breach{BreachBundle: "other"}).Bundle(&d); got != "other" {
			t.Errorf("with %s and a path it is %q", url, got)
		}
	}
}
