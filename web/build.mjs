// Builds the pages into ../internal/ui/dist, which Go embeds and which is committed.
// File names are stable and the same sources give the same bytes, so that CI can rebuild and compare;
// internal/ui adds the content hash to the addresses when it serves them.
//
//   node build.mjs           the pages
//   node build.mjs --tests   the tests, bundled where `npm test` looks for them
import { build } from "esbuild";
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "..", "internal", "ui", "dist");
const pages = ["start", "demo", "mailbox", "reference", "hop", "services"];

const browser = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome109", "firefox115", "safari16"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

async function buildPages() {
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  await build({
    ...browser,
    entryPoints: [
      ...pages.map((page) => ({ in: `app/${page}/main.ts`, out: page })),
      { in: "style/ui.css", out: "ui" },
    ],
    outdir: dist,
  });
  for (const page of pages) {
    await cp(join(here, "app", page, "index.html"), join(dist, `${page}.html`));
  }
  await cp(join(here, "style", "mark.svg"), join(dist, "mark.svg"));
}

async function buildTests() {
  const out = join(here, "node_modules", ".cache", "gatehouse-tests");
  await rm(out, { recursive: true, force: true });
  const tests = (await readdir(join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: here,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "warning",
    entryPoints: tests.map((name) => join("test", name)),
    outdir: out,
  });
}

await (process.argv.includes("--tests") ? buildTests() : buildPages());
