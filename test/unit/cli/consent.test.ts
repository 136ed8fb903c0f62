/** Every command of `flotilla` is either free to run or asks before what cannot be taken back: the list is whole, and docs/commands.md has it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { nodesLeft, removalLines } from '../../../hub/cli/apply-removal.js';
import { agree } from '../../../hub/cli/consent.js';
import type { Context } from '../../../hub/cli/context.js';
import { programOf } from '../../../hub/cli/program.js';
import { CliError } from '../../../protocol/cli-error.js';

/** The option that says yes beforehand; null: nothing that it does is for ever. */
const OPTION: Readonly<Record<string, string | null>> = {
  annotate: null,
  apply: '--prune',
  attach: null,
  audit: null,
  'bundle build': null,
  'bundle export': null,
  'bundle import': null,
  'bundle show': null,
  'bundle sign': '--yes',
  'bundle verify': null,
  cordon: null,
  cp: null,
  delete: '--yes',
  describe: null,
  diff: null,
  drain: null,
  exec: null,
  get: null,
  'hub backup': null,
  'hub broker-config mosquitto': null,
  'hub drop-keys': '--yes',
  'hub init': null,
  'hub monitoring-certificate': null,
  'hub passphrase': null,
  'hub recover': '--yes',
  'hub recovery': '--yes',
  'hub restore': null,
  'hub run': null,
  'key generate': null,
  'key rotate': '--yes',
  'key show': null,
  label: '--yes',
  logs: null,
  'node approve': '--yes',
  'node budget': null,
  'node parameters': null,
  'node revoke': '--yes',
  'port-forward': null,
  'rollout abort': null,
  'rollout activate': null,
  'rollout history': null,
  'rollout pause': null,
  'rollout promote': null,
  'rollout restart': null,
  'rollout resume': null,
  'rollout retry': null,
  'rollout simulate': null,
  'rollout status': null,
  'rollout undo': '--prune',
  version: null,
  'root create': null,
  'root edit': null,
  'root fetch': null,
  'root publish': '--yes',
  'root show': null,
  'root sign': '--yes',
  'root verify': null,
  'secret delete': '--yes',
  'secret replaced': '--yes',
  'secret seal': '--accept-new-keys',
  'token create': null,
  uncordon: null,
};

type Command = Awaited<ReturnType<typeof programOf>>;

function leavesOf(command: Command, path = ''): { path: string; options: string[] }[] {
  return command.commands.flatMap(child => {
    const name = `${path} ${child.name()}`.trim();
    if (child.commands.length > 0) return leavesOf(child, name);
    return [{ path: name, options: child.options.map(({ long }) => long ?? '') }];
  });
}

const program = await programOf({} as Context);
const page = readFileSync(join(import.meta.dirname, '../../../../docs/commands.md'), 'utf8');

describe('what cannot be taken back', () => {
  test('every command is in the list', () => {
    assert.deepEqual(
      leavesOf(program)
        .map(({ path }) => path)
        .sort(),
      Object.keys(OPTION).sort(),
    );
  });

  for (const { path, options } of leavesOf(program)) {
    const option = OPTION[path] ?? null;
    test(`${path}: ${option ?? 'asks nothing'}`, () => {
      if (option === null) return assert.ok(!options.includes('--yes'), 'nothing to say yes to');
      assert.ok(options.includes(option));
      const row = page.split('\n').find(line => line.startsWith(`| \`${path}`));
      assert.ok(row?.includes(`\`${option}\``), 'docs/commands.md tells of it');
    });
  }
});

describe('the question', () => {
  const asked = async (answer: string | null, given = false) => {
    let question = '';
    const ask = async (text: string) => {
      question = text;
      return answer;
    };
    const context = { terminal: { ask } } as unknown as Context;
    try {
      await agree(context, 'Delete it?', { given, option: '--really' });
      return { question, done: true };
    } catch (error) {
      assert.ok(error instanceof CliError && error.exit === 'refused');
      return { question, error: error.message, hint: error.hint };
    }
  };

  for (const [sentence, answer, done] of [
    ['y does it', 'y', true],
    ['Yes does it', ' Yes ', true],
    ['return leaves it', '', false],
    ['n leaves it', 'n', false],
    ['another word leaves it', 'yesterday', false],
  ] as const) {
    test(sentence, async () => {
      const said = await asked(answer);
      assert.equal(said.question, 'Delete it? [y/N] ');
      assert.equal(said.done === true, done);
    });
  }

  test('is not asked where the option was given', async () => {
    assert.deepEqual(await asked('n', true), { question: '', done: true });
  });

  test('that nobody can answer is a refusal, which says what would have happened and how', async () => {
    const { error, hint } = await asked(null);
    assert.match(error ?? '', /nothing was done.*Delete it\?/);
    assert.equal(hint, 'pass --really');
  });
});

describe('what an apply takes away', () => {
  const node = (name: string, site: string, member = true) => {
    const free = { held: false, ahead: false, refused: null, retried: [] };
    return { name, labels: { site }, member, online: true, bundles: [], ...free };
  };
  const nodes = [node('a', 'mill'), node('b', 'lake'), node('c', 'mill', false)];

  for (const [sentence, before, after, left] of [
    ['another site leaves the first', 'site=mill', 'site=lake', ['a']],
    ['fewer than all', '', 'site=lake', ['a']],
    ['more than before leaves none', 'site=mill', '', []],
    ['none at all', '', 'site=nowhere', ['a', 'b']],
  ] as const) {
    test(`nodes: ${sentence}`, () => {
      assert.deepEqual(nodesLeft(nodes, { before, after }), left);
    });
  }

  test('is said by name', () => {
    const removal = { manifests: ['pod/web'], nodes: ['a', 'b'] };
    assert.deepEqual(removalLines(removal, false), [
      'pod/web is not in the input and leaves the nodes',
      'no longer selected: its pods leave a, b',
    ]);
    const many = Array.from({ length: 25 }, (_, i) => `n${i}`);
    assert.match(
      removalLines({ manifests: [], nodes: many }, true).join(),
      /would leave n0.* and 5 more$/,
    );
  });
});
