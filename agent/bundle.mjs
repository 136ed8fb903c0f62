/**
 * Bundles the agent into `dist/flotilla-agent/`: one file instead of six hundred is about 10 MB less memory on a device.
 * What dockerode would bring and the agent never uses (ssh, BuildKit sessions over gRPC) is left out; what is rare is a
 * file of its own, loaded when it is needed. Native modules stay where npm put them.
 */
import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist/flotilla-agent');

/** For dockerode and docker-modem alone: the prober speaks gRPC for itself. */
const unused = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)(\/|$)/;

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(root, 'dist/agent/main.js')],
  outdir,
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
