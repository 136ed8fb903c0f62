/** Questions to a node: bound to its present session, asked again, answered by what names them and by nothing else. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { Questions } from '../../../hub/recovery/questions.js';
import { NodeCommands } from '../../../hub/link/commands.js';
import type { CommandDocument } from '../../../protocol/documents/command.js';
import { piecesOf } from '../../../protocol/reply.js';
import { FLEET } from '../../support/fleet.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

const id = (letter: string) => letter.repeat(32);
const question = { want: 'standing', bytesMax: 1000 } as const;

function world() {
  const asked: CommandDocument[] = [];
  const stop = new AbortController();
  // Five seconds of patience take fifty milliseconds.
  const clock = fastClock(Date.now(), 100);
  const commands = new NodeCommands({
    ...{ fleet: FLEET, epoch: () => 1, clock },
    messenger: { command: (_node, document) => void asked.push(document) },
  });
  const questions = new Questions({
    ...{ node: 'edge-1', commands, clock, signal: stop.signal },
    randomId: () => randomBytes(16).toString('hex'),
  });
  const presence = (said: { session: string; online: boolean }) => {
    commands.presence({ node: 'edge-1', ...said });
    questions.presence(said);
  };
  const answer = (request: string, text: string) => {
    const stamp = { fleet: FLEET, node: 'edge-1', journal: id('a'), boot: 1, counter: 1 };
    for (const piece of piecesOf(Buffer.from(text)))
      questions.reply({ ...stamp, request, ...piece });
  };
  return { asked, questions, answer, presence, stop };
}

describe('a question', () => {
  test('waits for the node, names its session, and takes the answer that names it', async () => {
    const { asked, questions, answer, presence } = world();
    const answered = questions.ask(question);
    assert.equal(asked.length, 0);
    presence({ session: id('1'), online: true });
    await eventually('it is asked', () => asked.length > 0);
    assert.equal(asked[0]?.session, id('1'));
    answer(asked.at(-1)?.request ?? '', 'here');
    assert.equal((await answered)?.toString(), 'here');
  });

  test('is asked again under another name; an answer to the former one counts no more', async () => {
    const { asked, questions, answer, presence } = world();
    presence({ session: id('1'), online: true });
    const answered = questions.ask(question);
    await eventually('it is asked twice', () => asked.length >= 2);
    const names = asked.map(({ request }) => request);
    assert.equal(new Set(names).size, names.length);
    const numbers = asked.map(({ n }) => n);
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
    answer(names[0] ?? '', 'kept from before');
    answer(id('f'), 'to nobody');
    await eventually('it is asked once more', () => asked.length > names.length);
    answer(asked.at(-1)?.request ?? '', 'now');
    assert.equal((await answered)?.toString(), 'now');
  });

  test('is asked anew in another session, under a higher number', async () => {
    const { asked, questions, answer, presence } = world();
    presence({ session: id('1'), online: true });
    const answered = questions.ask(question);
    await eventually('it is asked', () => asked.length > 0);
    presence({ session: id('2'), online: true });
    await eventually('it is asked there', () => asked.some(({ session }) => session === id('2')));
    const [before, there] = ['1', '2'].map(one => asked.find(({ session }) => session === id(one)));
    assert.ok((there?.n ?? 0) > (before?.n ?? 0));
    answer(asked.at(-1)?.request ?? '', 'there');
    assert.equal((await answered)?.toString(), 'there');
  });

  test('is not asked while the node is away, and ends when nobody wants it any more', async () => {
    const { asked, questions, presence, stop } = world();
    presence({ session: id('1'), online: true });
    presence({ session: id('1'), online: false });
    const answered = questions.ask(question);
    await new Promise(resolve => setTimeout(resolve, 200));
    assert.equal(asked.length, 0);
    stop.abort();
    await assert.rejects(answered);
  });
});
