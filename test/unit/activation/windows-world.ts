/** A node at one in the morning, two hours before the window of `night` opens. Call `windowsWorld` once in a file of tests. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach } from 'node:test';
import type { BundleStrategy, MaintenanceWindow } from '../../../protocol/documents/bundle.js';
import { ActivationWorld, made } from '../../support/activation-world.js';

export const NIGHT: MaintenanceWindow = { schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' };

/** Of the test that runs. */
export let it: ActivationWorld;

export function windowsWorld(): void {
  beforeEach(() => {
    it = new ActivationWorld();
    it.clockMs = Date.parse('2026-06-01T01:00:00Z');
  });
  afterEach(() => it.close());
}

export const night = (revision: number, strategy: Partial<BundleStrategy> = {}) =>
  made('shop', revision, { strategy: { maintenanceWindows: [NIGHT], ...strategy } });

/** Revision 1 is healthy by its window, then that is over by hours. */
export function running(): void {
  it.assign(made('shop', 1));
  it.wait(11);
  assert.equal(it.state('shop'), 'healthy ContainersSettled');
}
