#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A device's memory is worth more than its last percent of speed: about 10 MB less.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--max-semi-space-size=1');

import('../../dist/agent/main.js').catch(error => {
  const missing =
    error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('dist/agent/main.js');
  console.error(
    missing
      ? 'flotilla-agent is not built yet: run `npm ci && npm run build` in the checkout'
      : error,
  );
  process.exitCode = 1;
});
