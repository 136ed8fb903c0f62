/** Tokens of a join, against a real store: for several devices, with an end, for one name. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { letsIn } from '../../../hub/enrolment/token-use.js';
import { RequestError, type TokenRequest } from '../../../hub/ports.js';
import {
  fixture,
  enrolmentWorld,
  device,
  token,
  join,
  refusal,
  eventsOf,
} from '../../support/enrolment-world.js';

enrolmentWorld();

describe('a token', () => {
  test('lets in as many devices as it says, each once', async () => {
    const used = await token({ uses: 2 });
    const devices = ['m-1', 'm-2', 'm-3'].map(device);
    const results = await Promise.allSettled(devices.map(one => join(one, used)));
    const won = results.filter(({ status }) => status === 'fulfilled');
    assert.equal(won.length, 2);
    const lost = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    assert.ok(refusal('Conflict', /the token is used/)(lost.reason));
    const events = await eventsOf('TokenReused');
    assert.equal(events.length, 1);
    assert.match(events[0]?.spec.message ?? '', /presented again with another key/);
  });

  test('for several devices ends with its time, for those that did not use it', async () => {
    const used = await token({ uses: 3, ttlS: 60 });
    const first = device('t-1');
    await join(first, used);
    fixture.clock.forward(61_000);
    await assert.rejects(join(device('t-2'), used), refusal('Unauthorized', /not valid/));
    assert.equal((await join(first, used)).state, 'active', 'a lost reply is said again');
  });

  const names: [string, string[], string, boolean][] = [
    ['any name', [], 'x', true],
    ['a name', ['edge-1'], 'edge-1', true],
    ['no other name', ['edge-1'], 'edge-10', false],
    ['a pattern', ['edge-*'], 'edge-10', true],
    ['a pattern with two ends', ['a*b*c'], 'a-b-c', true],
    ['parts in their order alone', ['a*bc*c'], 'a-c-bc', false],
    ['no overlap', ['ab*ba'], 'aba', false],
    ['one of several', ['x', 'y*'], 'yy', true],
  ];
  for (const [sentence, patterns, name, expected] of names) {
    test(`lets in ${sentence}`, () => assert.equal(letsIn(patterns, name), expected));
  }

  test('refuses a name that it was not made for, and is still good', async () => {
    const used = await token({ nodes: ['till-*'] });
    await assert.rejects(join(device('kiosk'), used), refusal('Forbidden', /named till-\*/));
    assert.equal((await join(device('till-1'), used)).state, 'active');
  });

  const invalid: [string, Partial<TokenRequest>, string][] = [
    ['no uses', { uses: 0 }, 'spec.uses'],
    ['too many uses', { uses: 1001 }, 'spec.uses'],
    ['half a use', { uses: 1.5 }, 'spec.uses'],
    ['a name that no node has', { nodes: ['ok', 'Edge/1'] }, 'spec.nodes[1]'],
  ];
  for (const [sentence, request, field] of invalid) {
    test(`is refused with ${sentence}`, async () => {
      await assert.rejects(token(request), (error: unknown) => {
        assert.ok(error instanceof RequestError);
        const fields = error.causes.map(cause => cause.field);
        assert.deepEqual([error.reason, ...fields], ['Invalid', field]);
        return true;
      });
    });
  }
});
