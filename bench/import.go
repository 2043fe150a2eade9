package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// importTarget is the rate at which the last tenth of a file has to be imported,
// as a share of H: 3,000/s where H is 62,000/s.
const importTarget = 0.048

// imports measures `gatehouse import users` on a file of its own: how fast the
// first and the last tenth go, and what memory that takes.
func (b *bench) imports() error {
	name := fmt.Sprintf("SQLite: import of %d users with bcrypt hashes", b.rows)
	if !b.wanted(name) || b.rows < 1000 {
		return nil
	}
	file, key := filepath.Join(b.dir, "users.jsonl"), secret.NewMasterKey()
	if err := writeImport(file, b.rows); err != nil {
		return err
	}
	url := "sqlite:" + filepath.Join(b.dir, "import.db")
	a, err := app.Open(b.ctx, app.Options{Database: config.Database{DatabaseURL: url, MasterKey: key}, Server: config.Server{PublicURL: "http://localhost"}})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }() // was only read from
	env, _, err := a.Projects.CreateProject(b.ctx, "Import")
	if err != nil {
		return err
	}
	before, err := load(b.ctx, b.base, 16, b.duration, ping)
	if err != nil {
		return err
	}
	p, err := b.startImport(file, url, key)
	if err != nil {
		return err
	}
	tenth := int64(b.rows / 10)
	first, err := p.until(b.ctx, a, env, tenth)
	if err != nil {
		return err
	}
	late, err := p.until(b.ctx, a, env, int64(b.rows)-tenth)
	if err != nil {
		return err
	}
	if err := <-p.ended; err != nil {
		return fmt.Errorf("the import ended with %w", err)
	}
	end := time.Now()
	after, err := load(b.ctx, b.base, 16, b.duration, ping)
	if err != nil {
		return err
	}
	h := (before.Rate + after.Rate) / 2
	rates := [2]float64{float64(tenth) / first.at.Sub(p.started).Seconds(), float64(tenth) / end.Sub(late.at).Seconds()}
	b.table.report(name+", first tenth", fmt.Sprintf("%.0f/s", rates[0]), "")
	b.table.atLeast(name+", last tenth", fmt.Sprintf("%.0f/s", rates[1]), rates[1]/h, importTarget, "H")
	b.table.atMost("SQLite: memory of the import, last tenth", fmt.Sprintf("%.1f MB, %.1f MB in the first", float64(late.rss)/(1<<20), float64(first.rss)/(1<<20)),
		float64(late.rss)/float64(first.rss), 1.5, "x the first")
	return nil
}

// importing is an import under way.
type importing struct {
	process
	ended chan error
}

// startImport runs the command on all cores, as people do.
func (b *bench) startImport(file, url, key string) (*importing, error) {
	args := []string{b.binary, "import", "users", file, "--environment", "test", "--json"}
	if cores() {
		args = append([]string{"taskset", "-c", "0,1"}, args...)
	}
	cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GATEHOUSE_DATABASE_URL="+url, "GATEHOUSE_MASTER_KEY="+key)
	p := &importing{process{cmd: cmd, started: time.Now()}, make(chan error, 1)}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- cmd.Wait() }()
	return p, nil
}

// moment is when an import had come so far, and its memory then.
type moment struct {
	at  time.Time
	rss int64
}

// until waits until so many users are there.
func (p *importing) until(ctx context.Context, a *app.App, env *project.Environment, rows int64) (m moment, err error) {
	for {
		var n int64
		err := a.DB.View(ctx, func(tx *store.Tx) (err error) {
			n, err = user.Count(tx, env)
			return err
		})
		if err != nil {
			return m, err
		}
		if n >= rows {
			m.at = time.Now()
			m.rss, err = p.rss()
			return m, err
		}
		select {
		case err := <-p.ended:
			return m, errors.Join(fmt.Errorf("the import ended after %d users", n), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// writeImport writes a file as a migration has it: addresses, names and ids in
// no order, and a hash for each.
func writeImport(path string, rows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int, alphabet string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	const letters, bcrypt = "abcdefghijklmnopqrstuvwxyz", "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	created := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		created = created.Add(time.Duration(r.IntN(200_000)) * time.Millisecond)
		first, last := text(2, letters), text(4, letters) // some thousand first names, half a million last names
		fmt.Fprintf(w, `{"email":"%s.%s.%d@mail%d.example.com","email_verified":true,"external_id":"auth0|%s","name":{"first_name":%q,"last_name":%q},`+
			`"created_at":%q,"password":{"hash_type":"bcrypt","hash":"$2a$10$%s.%s."}}`+"\n",
			first, last, i, r.IntN(300), hex.EncodeToString([]byte(text(12, letters))), first, last,
			created.Format(time.RFC3339Nano), text(21, bcrypt), text(30, bcrypt))
	}
	return errors.Join(w.Flush(), f.Close())
}
