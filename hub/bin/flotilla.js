#!/usr/bin/env node
import('../../dist/hub/cli/main.js').catch(error => {
  const missing =
    error?.code === 'ERR_MODULE_NOT_FOUND' &&
    String(error.message).includes('dist/hub/cli/main.js');
  console.error(
    missing ? 'flotilla is not built yet: run `npm ci && npm run build` in the checkout' : error,
  );
  process.exitCode = 1;
});
