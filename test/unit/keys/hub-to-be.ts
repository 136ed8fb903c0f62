/** A directory for a hub of its own for each test, and `hub init` in it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { initHub, type InitOptions } from '../../../hub/setup/init.js';
import { SetupError, type SetupErrorCode } from '../../../hub/setup/setup-error.js';
import { MovableClock, QUIET_HOST } from '../../support/hub-fixture.js';

/** Of the test that runs. */
export let directory: string;
export let dataDir: string;
export const clock = new MovableClock();

export function init(options: Partial<InitOptions> = {}) {
  return initHub({ dataDir, host: QUIET_HOST, clock, random: randomBytes, ...options });
}

export function withCode(code: SetupErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SetupError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-init-'));
  dataDir = join(directory, 'hub');
});
afterEach(() => rmSync(directory, { recursive: true }));
