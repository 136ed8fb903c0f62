/** Nodes and hub say of a root that ends what is to be typed, for the fleet that it is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rootLifeCondition } from '../../../protocol/root-life.js';
import * as fleet from '../../support/fleet.js';

const ISSUED = Date.parse('2026-01-01T00:00:00Z');
const YEAR_MS = 365 * 86_400_000;
const of = (development: boolean, version = 1) => ({
  ...fleet.trustedRoot().document,
  ...{ development, version, issued: new Date(ISSUED).toISOString() },
  expires: new Date(ISSUED + YEAR_MS).toISOString(),
});
const said = (development: boolean, years: number) =>
  rootLifeCondition(of(development, 7), ISSUED + years * YEAR_MS)?.message ?? null;

describe('a root', () => {
  test('far from its end says nothing', () => assert.equal(said(true, 0.79), null));
  test('whose keys the hub holds is followed by the next with one command there', () => {
    assert.match(said(true, 0.81) ?? '', /^root 7 ends at 2027.*: flotilla key rotate root$/);
    assert.match(
      said(true, 1.1) ?? '',
      /^root 7 ended at .*pods run on.*: flotilla key rotate root$/,
    );
  });
  test('whose keys people hold is edited, signed and published', () => {
    const commands =
      /flotilla root edit --from root-7\.json, root sign root-8\.json, root publish root-8\.json$/;
    assert.match(said(false, 0.81) ?? '', commands);
    assert.match(said(false, 1.1) ?? '', commands);
  });
});
