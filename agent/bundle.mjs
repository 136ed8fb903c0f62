/**
 * Bundles the agent into `dist/flotilla-agent/`: one file instead of six hundred is about 10 MB less memory on a device.
 * What dockerode would bring and the agent never uses (ssh, BuildKit sessions over gRPC) is left out; what is rare is a
 * file of its own, loaded when it is needed. Native modules stay where npm put them.
 *
 * An agent may be started from there, or load a part, while this runs: a build that changes nothing touches nothing, and the entry is
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

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist/flotilla-agent');

/** For dockerode and docker-modem alone: the prober speaks gRPC for itself. */
const unused = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)(\/|$)/;

const { outputFiles } = await build({
  entryPoints: [join(root, 'dist/agent/main.js')],
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
  external: ['better-sqlite3'],
  banner: {
    js:
      "import { createRequire as flotillaRequire } from 'node:module';" +
      'const require = flotillaRequire(import.meta.url);' +
      'const __filename = import.meta.filename, __dirname = import.meta.dirname;',
  },
  plugins: [
    {
      name: 'leave out what dockerode brings and nobody uses',
      setup(plugin) {
        plugin.onResolve({ filter: unused }, ({ path, importer }) =>
          /node_modules\/(dockerode|docker-modem)\//.test(importer)
            ? { path, namespace: 'unused' }
            : undefined,
        );
        plugin.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
          contents: 'module.exports = {}',
        }));
      },
    },
  ],
});

function writeWhole(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  writeFileSync(`${path}.new`, contents);
  renameSync(`${path}.new`, path);
}

const isEntry = ({ path }) => basename(path) === 'main.js';
mkdirSync(outdir, { recursive: true });
for (const { path, contents } of outputFiles.toSorted((a, b) => isEntry(a) - isEntry(b)))
  writeWhole(path, contents);
const made = new Set(outputFiles.map(({ path }) => basename(path)));
for (const name of readdirSync(outdir))
  if (!made.has(name)) rmSync(join(outdir, name), { recursive: true });
