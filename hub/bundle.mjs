/** Bundles the hub and its command line into `dist/flotilla/`. What only one command needs is loaded when it is needed. */
import { join } from 'node:path';
import { bundleProgram } from '../protocol/bundle-program.mjs';

const root = join(import.meta.dirname, '..');

await bundleProgram({
  entry: join(root, 'dist/hub/cli/main.js'),
  outdir: join(root, 'dist/flotilla'),
});
