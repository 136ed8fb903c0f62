/** `flotilla.dev/connected`: the agent's word, in volumes alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CONNECTED,
  CONNECTED_SINCE,
  connectedValue,
  tellsConnected,
} from '../../../protocol/pod-connected.js';
import { table, validated, type Given } from './rule-table.js';

const FIELD = `metadata.annotations['${CONNECTED}']`;
const SINCE = `metadata.annotations['${CONNECTED_SINCE}']`;
const items = [
  { path: 'connected', fieldRef: { fieldPath: FIELD } },
  { path: 'since', fieldRef: { fieldPath: SINCE } },
];
const volume = (source: object): Given => ({ spec: { volumes: [{ name: 'hub', ...source }] } });
const variable = (fieldPath: string): Given => ({
  container: { env: [{ name: 'HUB', valueFrom: { fieldRef: { fieldPath } } }] },
});
const PATH = 'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath';

table('the connection, as a pod asks for it', [
  ['in a downwardAPI volume', volume({ downwardAPI: { items } }), []],
  ['in a projected volume', volume({ projected: { sources: [{ downwardAPI: { items } }] } }), []],
  ['in a variable, which would stay as it was', variable(FIELD), [PATH]],
  ['its time in a variable', variable(SINCE), [PATH]],
  ['another annotation in a variable', variable("metadata.annotations['a/b']"), []],
  ['"false" in the manifest, for a kubelet', { annotations: { [CONNECTED]: 'false' } }, []],
  [
    '"true" in the manifest',
    { annotations: { [CONNECTED]: 'true' } },
    [`metadata.annotations[${CONNECTED}]`],
  ],
  [
    'a time in the manifest',
    { annotations: { [CONNECTED_SINCE]: '2026-01-01T00:00:00Z' } },
    [`metadata.annotations[${CONNECTED_SINCE}]`],
  ],
]);

describe('what is said of it', () => {
  const word = { connected: true, since: '2026-01-01T00:00:00Z' };
  const said = (given: Given) => {
    const result = validated(given);
    return result.ok ? '' : (result.errors[0]?.message ?? '');
  };

  test('a refusal says what to do instead', () => {
    assert.match(said(variable(FIELD)), /a variable does not: take a downwardAPI volume$/);
    const annotations = { [CONNECTED]: 'true' };
    assert.match(said({ annotations }), /is the agent's to say: leave it out, or write "false"/);
  });

  test('a file holds the word, or the time; of other fields nothing', () => {
    assert.equal(connectedValue(FIELD, word), 'true');
    assert.equal(connectedValue(FIELD, { ...word, connected: false }), 'false');
    assert.equal(connectedValue(SINCE, word), '2026-01-01T00:00:00Z');
    assert.equal(connectedValue('metadata.annotations', word), null);
  });

  test('only a volume that asks has files that follow it', () => {
    const downwardAPI = { items };
    const names = { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] };
    assert.equal(tellsConnected({ name: 'v', downwardAPI }), true);
    assert.equal(tellsConnected({ name: 'v', projected: { sources: [{ downwardAPI }] } }), true);
    assert.equal(tellsConnected({ name: 'v', downwardAPI: names }), false);
    assert.equal(tellsConnected({ name: 'v', configMap: { name: 'c' } }), false);
  });
});
