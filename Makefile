# The commands of this project. Each works on a fresh clone; what is missing is installed first where it can be.
GO ?= go
# Run by version rather than through go.mod, so that the product's dependencies stay the product's own.
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# A number of inputs, because a target that is stopped by the clock sometimes reports that as a failure.
FUZZTIME ?= 20000x
# The packages whose tests compare generated files.
GOLDEN = $(shell grep -rl --include='*_test.go' '"gatehouse/internal/golden"' internal | xargs -n1 dirname | sort -u | sed 's,^,./,')

.PHONY: run test check lint ui golden bench race fuzz

run: ## start Gatehouse for development; prints the link to the demo
	@$(GO) build -o bin/gatehouse ./cmd/gatehouse
	@trap : INT; bin/gatehouse dev # Ctrl-C is for the server, which ends well; go run and the shell would call it an error

test: ## everything: Go on SQLite and PostgreSQL, the official SDKs, a real browser
	test/run

check: lint ## what review should not have to look for
	$(GO) test -count=1 ./internal/arch/
	$(GO) test -count=1 -run '^TestGolden' $(GOLDEN)
	@built=$$(mktemp -d) && trap 'rm -rf "$$built"' EXIT && cp -r internal/ui/dist "$$built/" && $(MAKE) ui && \
	  diff -r "$$built/dist" internal/ui/dist || { echo "internal/ui/dist was not what web/ builds; it is now: commit it" >&2; exit 1; }

lint: ## formatting, go vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

ui: ## build the pages into internal/ui/dist, which is committed
	cd web && npm ci --no-progress && npm run check && npm run build

golden: ## rewrite the generated files in api/ and docs/; review what changed
	$(GO) test -run '^TestGolden' $(GOLDEN) -update

bench: ## the speed and size table of bench/README.md; on PostgreSQL too where it is installed
	$(if $(wildcard /usr/lib/postgresql/*/bin/postgres),test/with-postgres --durable )$(GO) run ./bench

race: ## the Go tests under the race detector, which needs a C compiler
	GORACE=atexit_sleep_ms=10 CGO_ENABLED=1 $(GO) test -race -timeout 30m ./... # each command that a test runs would wait a second

fuzz: ## every fuzz target for FUZZTIME inputs (20000x), or a time such as 10m
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	  done; \
	done
