package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/secret"
)

// size measures the binary, how fast it starts, and what it costs to idle.
func (b *bench) size() error {
	if !b.wanted("size: ") && b.only != "" {
		return nil
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.table.atMost("size: binary", "", float64(info.Size())/(1<<20), 40, "MB")
	if err := b.serveStart(); err != nil {
		return err
	}
	return b.devStart()
}

// serveStart starts a server on a database that exists, several times.
func (b *bench) serveStart() error {
	env := []string{
		"GATEHOUSE_MASTER_KEY=" + secret.NewMasterKey(), "GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(b.dir, "start.db"),
		"GATEHOUSE_PUBLIC_URL=http://localhost",
	}
	var times []time.Duration
	for i := range 8 {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		p, err := start(b.ctx, b.dir, "http://"+address+"/healthz", false, env, b.binary, "serve", "--listen", address)
		if err != nil {
			return err
		}
		if i > 0 { // the first start makes the database
			times = append(times, time.Since(p.started))
		}
		if i == 7 {
			time.Sleep(2 * time.Second) // long enough to be idle
			rss, err := p.rss()
			if err != nil {
				return err
			}
			b.table.atMost("size: idle memory of serve", "", float64(rss)/(1<<20), 45, "MB")
		}
		p.stop()
	}
	slices.Sort(times)
	b.table.atMost("size: serve to the first healthy answer (median)", "", float64(times[len(times)/2].Microseconds())/1000, 60, "ms")
	return nil
}

func (b *bench) devStart() error {
	var times []time.Duration
	for i := range 5 {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		data := filepath.Join(b.dir, fmt.Sprintf("dev%d", i))
		p, err := start(b.ctx, b.dir, "http://"+address+"/healthz", false, nil, b.binary, "dev", "--listen", address, "--data", data)
		if err != nil {
			return err
		}
		times = append(times, time.Since(p.started))
		p.stop()
	}
	slices.Sort(times)
	b.table.atMost("size: dev in an empty folder to the first healthy answer (median)", "", float64(times[2].Microseconds())/1000, 300, "ms")
	return nil
}

// growth measures searches among 10,000 and among 100,000 users: a search that
// finds as much should take as long.
func (b *bench) growth() error {
	if !b.wanted("search grows") {
		return nil
	}
	queries := []struct{ name, filter, value string }{
		{"by e-mail", "email_address", `["person000007@mail007.example.com"]`},
		{"by fuzzy e-mail", "email_address_fuzzy", `"person00001"`},
		{"by fuzzy name", "full_name_fuzzy", `"first00002"`},
	}
	rates := map[string][]float64{}
	for _, users := range []int{b.users / 10, b.users} {
		path := filepath.Join(b.dir, fmt.Sprintf("search%d.db", users))
		t, err := openTarget(b.ctx, b.dir, b.binary, "sqlite:"+path, users, 10)
		if err != nil {
			return err
		}
		loads := map[string]work{"page of 50": t.pages()}
		for _, q := range queries {
			body, err := json.Marshal(map[string]any{"limit": 50, "query": map[string]any{"operator": "AND", "operands": []map[string]any{
				{"filter_name": q.filter, "filter_value": json.RawMessage(q.value)}}}})
			if err != nil {
				return err
			}
			loads[q.name] = t.search(string(body))
		}
		for name, w := range loads {
			m, err := load(b.ctx, t.address, 16, b.duration, w)
			if err != nil {
				return fmt.Errorf("search %s: %w", name, err)
			}
			rates[name] = append(rates[name], m.Rate)
		}
		if err := t.close(); err != nil {
			return err
		}
	}
	for _, name := range []string{"by e-mail", "by fuzzy e-mail", "by fuzzy name", "page of 50"} {
		r := rates[name]
		b.table.atMost(fmt.Sprintf("search grows, %s, %d -> %d users", name, b.users/10, b.users),
			fmt.Sprintf("%.0f/s -> %.0f/s", r[0], r[1]), r[0]/r[1], 1.5, "x time")
	}
	return nil
}
