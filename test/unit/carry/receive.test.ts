/** What the hub says of a file that holds no word of a node. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { receiveCarried } from '../../../hub/carry/receive.js';
import { RequestError } from '../../../hub/ports.js';
import { topicsOf } from '../../../protocol/topics.js';
import { FLEET } from '../../support/fleet.js';

const TOPICS = topicsOf(FLEET);
const EXPORT = /it is an export for nodes, no receipt of one: `flotilla-agent import`/;

const ROWS: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['the assignment of a node', [TOPICS.node('edge-1', 'assignment')], EXPORT],
  ['roots', [TOPICS.root(1), TOPICS.root(2)], EXPORT],
  ['content', [TOPICS.blob('ab'.repeat(32))], EXPORT],
  ['nothing', [], /the receipt holds no word of a node/],
  ['a presence', [TOPICS.node('edge-1', 'presence')], /the receipt holds no word of a node/],
];

describe('a receipt that holds', () => {
  for (const [what, topics, message] of ROWS) {
    test(`${what} alone is refused: ${message.source}`, async () => {
      const ingest = { receive: () => assert.fail('received'), recorded: async () => undefined };
      const messages = topics.map(topic => ({ topic, payload: Buffer.from('x') }));
      const refused = receiveCarried({ fleet: FLEET, ingest }, { fleet: FLEET, messages });
      await assert.rejects(refused, (error: Error) => {
        assert.ok(error instanceof RequestError, error.stack);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
