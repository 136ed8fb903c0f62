/** Acceptance 8 in short; `npm run soak` does two hundred. */
import { test } from 'node:test';
import { noEngine } from '../../support/docker.js';
import { killStorm } from '../../support/kill-storm.js';

test(
  'acceptance 8, T7, T13, P8: kills at random moments make no double pod and no needless restart',
  {
    skip: noEngine(),
  },
  () => killStorm({ rounds: 20, seed: 8 }),
);
