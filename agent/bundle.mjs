/**
 * Bundles the agent into `dist/flotilla-agent/`: about 10 MB less memory on a device. What dockerode would bring and the agent never uses
 * (ssh, BuildKit sessions over gRPC) is left out.
 */
import { join } from 'node:path';
import { bundleProgram } from '../protocol/bundle-program.mjs';

const root = join(import.meta.dirname, '..');

/** For dockerode and docker-modem alone: the prober speaks gRPC for itself. */
const unused = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)(\/|$)/;

await bundleProgram({
  entry: join(root, 'dist/agent/main.js'),
  outdir: join(root, 'dist/flotilla-agent'),
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
