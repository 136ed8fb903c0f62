/**
 * Bundles a program: one file and its rare parts instead of hundreds of modules, so that it starts in half the time and with less memory.
 * Native modules stay where npm put them.
 *
 * The program may be started from there, or load a part, while this runs: a build that changes nothing touches nothing, and the entry is
 * replaced only when all its parts are there.
 */
import { build } from 'esbuild';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/** `entry` is a compiled `main.js`; `plugins` are esbuild's. Calling again is safe. */
export async function bundleProgram({ entry, outdir, plugins = [] }) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    outdir,
    write: false,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    logLevel: 'warning',
    external: ['better-sqlite3', 'cpu-features', '*.node'],
    banner: {
      js:
        "import { createRequire as flotillaRequire } from 'node:module';" +
        'const require = flotillaRequire(import.meta.url);' +
        'const __filename = import.meta.filename, __dirname = import.meta.dirname;',
    },
    plugins,
  });
  const isEntry = ({ path }) => basename(path) === 'main.js';
  mkdirSync(outdir, { recursive: true });
  for (const { path, contents } of outputFiles.toSorted((a, b) => isEntry(a) - isEntry(b)))
    writeWhole(path, contents);
  const made = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync(outdir))
    if (!made.has(name)) rmSync(join(outdir, name), { recursive: true });
}

function writeWhole(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  writeFileSync(`${path}.new`, contents);
  renameSync(`${path}.new`, path);
}
