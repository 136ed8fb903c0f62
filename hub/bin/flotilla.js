#!/usr/bin/env node
import { existsSync } from 'node:fs';

// A checkout that was only compiled runs its parts.
const bundle = new URL('../../dist/flotilla/main.js', import.meta.url);
const parts = new URL('../../dist/hub/cli/main.js', import.meta.url);

import((existsSync(bundle) ? bundle : parts).href).catch(error => {
  const missing =
    error?.code === 'ERR_MODULE_NOT_FOUND' &&
    String(error.message).includes('dist/hub/cli/main.js');
  console.error(
    missing ? 'flotilla is not built yet: run `npm ci && npm run build` in the checkout' : error,
  );
  process.exitCode = 1;
});
