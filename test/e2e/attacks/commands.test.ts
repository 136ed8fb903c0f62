/**
 * Commands and streams under attack: the broker replays, drops, reorders and forges; the hub's key is stolen and the node's own
 * configuration says no (security.md 1.10). Whatever comes, nothing is executed that was not asked for now, and the node lives.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamAsk } from '../../../hub/streams/streams.js';
import type { CommandDocument } from '../../../protocol/documents/command.js';
import type { OpeningDocument } from '../../../protocol/documents/node.js';
import type { Signer } from '../../../protocol/keys.js';
import { CHANNEL, CHUNK_BYTES, WINDOW_BYTES } from '../../../protocol/stream-frames.js';
import { Commander, type Tamper } from '../../support/attacks/commander.js';
import { refuses } from '../../support/attacks/refusal.js';
import { NODE, OTHER, STRANGER } from '../../support/attacks/cast.js';
import { payloadOf } from '../../support/attacks/documents.js';
import { Victim } from '../../support/attacks/victim.js';
import { docker, noEngine, runningOf } from '../../support/docker.js';
import { residentBytes } from '../../support/process-memory.js';
import { eventually } from '../../support/wait.js';

const app = { namespace: 'default', pod: 'witness', container: 'app' } as const;
const PIPED = { stdin: false, stdout: true, stderr: true, tty: false } as const;
const sh = (script: string): StreamAsk => ({
  ...{ kind: 'exec', ...app, ...PIPED },
  command: ['sh', '-c', script],
});

describe('attacks on commands and streams', { skip: noEngine() }, () => {
  let victim: Victim;
  let commander: Commander;
  const inside = (...command: string[]) => {
    const [id = ''] = runningOf(victim.play.path(NODE), { container: 'app' }).split('\n');
    return docker('exec', id, ...command);
  };
  /** How often the proof was written. */
  const proofs = () => inside('sh', '-c', 'cat /tmp/proof 2>/dev/null | wc -l');
  const runs = async (script: string) => {
    const { end, stdout } = await commander.open(sh(script));
    return { end: await end, stdout: stdout() };
  };

  before(async () => {
    victim = await Victim.open({ acl: false });
    commander = await Commander.over(victim);
  });
  after(async () => {
    await commander.close();
    await victim.close();
  });

  test('the hub itself is obeyed: the attacks below would be seen', async () => {
    assert.equal((await runs('echo once >> /tmp/proof')).end.status, 'Success');
    assert.equal(proofs(), '1');
  });

  test('a command that is replayed executes nothing', async () => {
    const { payload, frames, request, end } = await commander.open(sh('echo twice >> /tmp/proof'));
    await end;
    assert.equal(proofs(), '2');
    const answers = commander.repliesTo(request).length;
    await refuses(victim, {
      code: 'NotFresh',
      send: async () => {
        await commander.send(payload);
        for (const frame of frames) await commander.say(request, frame);
      },
    });
    assert.equal(proofs(), '2');
    assert.equal(commander.repliesTo(request).length, answers);
  });

  const other = 'e'.repeat(32);
  const ROWS: readonly [
    string,
    'NotFresh' | 'WrongNode' | 'BadSignature' | 'WrongFleet' | 'Malformed',
    Partial<CommandDocument>,
    Signer?,
  ][] = [
    ['of another session', 'NotFresh', { session: other }],
    ['with a lower number', 'NotFresh', { n: 1 }],
    ['for another node', 'WrongNode', { node: OTHER }],
    ['for another fleet', 'WrongFleet', { fleet: other }],
    ['that a stranger signed', 'BadSignature', {}, STRANGER],
    ['with a number that is none', 'Malformed', { n: -1 }],
  ];
  for (const [sentence, code, change, by] of ROWS) {
    test(`a command ${sentence} is refused`, async () => {
      const ask = { kind: 'portForward', namespace: 'default', pod: 'witness', port: 1 } as const;
      const from = victim.statuses.length;
      const command = commander.command({ ...ask, key: '1'.repeat(64), user: 'mallory' }, change);
      await commander.send(commander.signed(command, by));
      await victim.said(code, ({ lastRefusal }) => lastRefusal?.code === code, from);
      assert.deepEqual(commander.repliesTo(command.request), []);
    });
  }

  test('a command whose key is of small order opens nothing', async () => {
    const target = { key: '0'.repeat(64), user: 'mallory', namespace: 'default', pod: 'witness' };
    const ask = { kind: 'exec', ...target, container: null, ...PIPED } as const;
    const command = commander.command(ask);
    await commander.send(commander.signed(command));
    const [answer] = await eventually('an answer', () => {
      const replies = commander.repliesTo(command.request);
      return replies.length > 0 && replies;
    });
    const { refusal } = payloadOf<OpeningDocument>('opening', answer ?? Buffer.alloc(0));
    assert.match(refusal?.message ?? '', /no key/);
  });

  test('before the first frame nothing is executed', async () => {
    const to: Tamper = () => [];
    const { stream } = await commander.open(sh('echo early >> /tmp/proof'), { to });
    await delay(500);
    assert.equal(proofs(), '2');
    stream.close();
  });

  const flipped: Tamper = frame => {
    const copy = Buffer.from(frame);
    copy.writeUInt8(copy.readUInt8(20) ^ 1, 20);
    return [copy];
  };
  const held: Buffer[] = [];
  /** From the third frame on: begin and the first input arrive. */
  const TAMPERED: readonly [string, Tamper, RegExp][] = [
    ['forged', flipped, /was forged/],
    ['left out', (frame, n) => (n === 2 ? [] : [frame]), /one was lost/],
    ['replayed', (frame, _n, before) => [frame, ...before.slice(0, 1)], /came again/],
    [
      'put in another order',
      (frame, n) => {
        if (n === 2) held.push(frame);
        return n === 2 ? [] : [frame, ...held.splice(0)];
      },
      /the order was changed/,
    ],
  ];
  for (const [sentence, tamper, words] of TAMPERED) {
    test(`a frame ${sentence} by the broker ends the stream, and what follows is not heard`, async () => {
      const file = `/tmp/in-${sentence.replaceAll(' ', '-')}`;
      const ask = { ...sh(`cat > ${file}`), stdin: true } as StreamAsk;
      const to: Tamper = (frame, n, before) => (n < 2 ? [frame] : tamper(frame, n, before));
      const { stream, end } = await commander.open(ask, { to });
      await stream.write(Buffer.from('good;'));
      await eventually('the first input', () => inside('cat', file) === 'good;');
      await stream.write(Buffer.from('bad1;')).catch(() => undefined);
      await stream.write(Buffer.from('bad2;')).catch(() => undefined);
      const { reason, message = '' } = await end;
      assert.equal(reason, 'StreamBroken');
      assert.match(message, words);
      const kept = inside('cat', file);
      // What was replayed had been said; nothing is heard twice, or after it.
      assert.ok(['good;', 'good;bad1;'].includes(kept), kept);
      assert.equal((await runs('true')).end.status, 'Success');
    });
  }

  test('the same frame twice, one after the other, is heard once (QoS 1)', async () => {
    const ask = { ...sh('cat'), stdin: true } as StreamAsk;
    const { stream, end, stdout } = await commander.open(ask, { to: frame => [frame, frame] });
    await stream.write(Buffer.from('once'));
    stream.endInput();
    assert.equal((await end).status, 'Success');
    assert.equal(stdout(), 'once');
  });

  test('a frame of another stream ends the stream', async () => {
    const ask = { ...sh('cat'), stdin: true } as StreamAsk;
    const [one, two] = [await commander.open(ask), await commander.open(ask)];
    await one.stream.write(Buffer.from('for the other'));
    await two.stream.write(Buffer.from('x'));
    await commander.say(two.request, one.frames[1] ?? Buffer.alloc(0));
    assert.equal((await two.end).reason, 'StreamBroken');
    assert.doesNotMatch(two.stdout(), /for the other/);
    one.stream.endInput();
    assert.equal((await one.end).status, 'Success');
  });

  test("the node's frames, changed on their way, end the stream at the hub", async () => {
    const cases: readonly [Tamper, RegExp][] = [
      [(frame, n) => (n === 1 ? flipped(frame, n, []) : [frame]), /was forged/],
      [(frame, n) => (n === 1 ? [] : [frame]), /one was lost/],
      [(frame, n, before) => (n === 2 ? before.slice(0, 1) : [frame]), /came again/],
    ];
    for (const [from, words] of cases) {
      // It goes on until the stream ends: however few frames its lines are put into, more follow.
      const script = 'i=0; while [ $i -lt 600 ]; do echo line; sleep 0.1; i=$((i + 1)); done';
      const { end } = await commander.open(sh(script), { from });
      const { reason, message = '' } = await end;
      assert.equal(reason, 'StreamBroken');
      assert.match(message, words);
    }
  });

  test('input beyond the credit ends the stream; the node holds no more than it gave', async () => {
    const pid = victim.play.pid(NODE);
    const before = residentBytes(pid);
    const greedy = { ...sh('sleep 1000'), stdin: true } as StreamAsk;
    const { request, sealer, end } = await commander.open(greedy);
    const seal = sealer();
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const sent = Array.from({ length: (16 * WINDOW_BYTES) / CHUNK_BYTES }, () =>
      commander.say(request, seal.seal(CHANNEL.stdin, chunk)),
    );
    assert.equal((await end).reason, 'StreamBroken');
    await Promise.all(sent);
    assert.ok(residentBytes(pid) - before < 32 * 1024 * 1024);
    assert.equal((await runs('true')).end.status, 'Success');
  });

  test('garbage on the topic of a stream, and on one that nobody opened, changes nothing else', async () => {
    const ask = { ...sh('cat'), stdin: true } as StreamAsk;
    const { request, end } = await commander.open(ask);
    await commander.say('f'.repeat(32), Buffer.from('garbage'));
    await commander.say(request, Buffer.from('garbage'));
    assert.equal((await end).reason, 'StreamBroken');
    assert.equal((await runs('true')).end.status, 'Success');
  });

  test('a stolen hub opens no shell where the node says no', async () => {
    await victim.restart({ FLOTILLA_REMOTE_ACCESS: 'none' });
    await eventually('its streams are ready', async () => {
      // A command that was given before it listens is not heard.
      const asked = commander.open(sh('echo entered >> /tmp/proof'), { withinMs: 2_000 });
      await assert.rejects(asked, /exec is off/);
      return true;
    });
    await assert.rejects(commander.open({ kind: 'logs', ...app }), /logs is off.*allows nothing/);
    await assert.rejects(commander.open({ kind: 'attach', ...app, ...PIPED }), /attach is off/);
    const port = { kind: 'portForward', namespace: 'default', pod: 'witness', port: 80 } as const;
    await assert.rejects(commander.open(port), /portForward is off.*remoteAccess: \[portForward\]/);
    assert.equal(proofs(), '2');
  });
});
