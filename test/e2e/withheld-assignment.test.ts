/**
 * S22, a selective freeze: a broker that delivers everything but the assignment. The hub's acknowledgements name the one in force, so
 * the node asks, and says that it is in vain. The clock of the node runs fifty times as fast.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assigned } from '../support/fleet.js';
import { revision, world } from '../support/intake-world.js';
import { eventually } from '../support/wait.js';

const isTold = ({ conditions }: { conditions: readonly { readonly type: string }[] }) =>
  conditions.some(({ type }) => type === 'AssignmentWithheld');

describe('S22: a broker that holds back the assignment alone', () => {
  test('is noticed by what the hub acknowledges; the node asks, says it, and takes the assignment that comes', async () => {
    const it = await world({ speed: 50 });
    const { hub, node } = it;
    try {
      await hub.statusWhere('generation 7', ({ generation }) => generation === 7);
      hub.assigned = { epoch: 1, generation: 7 };
      await hub.acknowledge(0);
      hub.assigned = { epoch: 2, generation: 99 };
      await hub.acknowledge(0);
      hub.assigned = { epoch: 1, generation: 9 };
      await hub.acknowledge(0);
      const asked = () => hub.said.request.filter(({ want }) => want === 'assignment');
      await eventually('two questions', () => asked().length >= 2);
      const { conditions } = await hub.statusWhere('it is withheld', isTold);
      const said = conditions.find(({ type }) => type === 'AssignmentWithheld');
      assert.match(said?.message ?? '', /generation 9, generation 7 is here/);
      const nonces = new Set(asked().map(({ nonce }) => nonce));
      assert.equal(nonces.size, asked().length, 'each with a nonce of its own');

      // A former one is not what the hub speaks of; one that is closes the matter.
      const made = revision(2);
      await hub.publishBundle(made.document, made.pods);
      await hub.assign({ generation: 8, bundles: [] });
      await hub.statusWhere('generation 8', ({ generation }) => generation === 8);
      await hub.statusWhere(
        'it is withheld still',
        status => status.generation === 8 && isTold(status),
      );
      await hub.assign({ generation: 9, bundles: [assigned(made.document)] });
      await eventually('the bundle', () => node.images()[0] === 'web:2');
      await hub.statusWhere(
        'nothing is withheld',
        status => status.generation === 9 && !isTold(status),
      );
      const before = asked().length;
      hub.assigned = { epoch: 1, generation: 8 };
      await hub.acknowledge(0);
      await hub.acknowledge(0);
      await new Promise(done => setTimeout(done, 500));
      assert.equal(asked().length, before, 'an acknowledgement of before is no reason to ask');
    } finally {
      await it.stop();
    }
  });
});
