package main

import (
	"errors"
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

// searches are what people look users up by. They find as many among 10,000 users
// as among 100,000.
var searches = []struct{ name, filter, value string }{
	{"by e-mail", "email_address", `["person000007@mail007.example.com"]`},
	{"by fuzzy e-mail", "email_address_fuzzy", `"person00001"`},
	{"by fuzzy name", "full_name_fuzzy", `"first00002"`},
	{"page of 50", "", ""},
}

// growth compares searches among many users with the same among a tenth: one that
// finds as much should take as long.
func (b *bench) growth() (err error) {
	if !b.wanted("search grows") {
		return nil
	}
	few, err := b.searchable(b.users / 10)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, few.close()) }()
	many, err := b.searchable(b.users)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.close()) }()
	for _, q := range searches {
		among := func(t *target) work {
			if q.filter == "" {
				return t.pages()
			}
			return t.search(fmt.Sprintf(`{"limit":50,"query":{"operator":"AND","operands":[{"filter_name":%q,"filter_value":%s}]}}`, q.filter, q.value))
		}
		w := among(few)
		fewer := func(d time.Duration) (measured, error) { return load(b.ctx, few.address, 16, d, w) }
		m, of, err := b.beside(fewer, b.round(many, 16, among(many)))
		if err != nil {
			return fmt.Errorf("search %s: %w", q.name, err)
		}
		b.table.atMost(fmt.Sprintf("search grows, %s, %d -> %d users", q.name, b.users/10, b.users),
			fmt.Sprintf("%.0f/s -> %.0f/s", of.Rate, m.Rate), of.Rate/m.Rate, 1.5, "x time")
	}
	return nil
}

// searchable starts a server with so many users.
func (b *bench) searchable(users int) (*target, error) {
	return openTarget(b.ctx, b.dir, b.binary, "sqlite:"+filepath.Join(b.dir, fmt.Sprintf("search%d.db", users)), users, 10)
}
