/** What somebody types who comes from kubectl or docker is answered with what to type here. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refuseOtherWords as refuseAtDevice } from '../../../agent/cli/other-words.js';
import { bundleOf } from '../../../hub/cli/bundle-target.js';
import { byFile } from '../../../hub/cli/delete.js';
import { insteadOfKind, refuseOtherWords } from '../../../hub/cli/other-words.js';
import { programOf } from '../../../hub/cli/program.js';
import { resourceOf } from '../../../hub/cli/resources.js';
import { hubVersionOf } from '../../../hub/cli/version.js';
import { versionLines } from '../../../agent/cli/version.js';
import { CliError } from '../../../protocol/cli-error.js';
import type { Context } from '../../../hub/cli/context.js';

const CONTEXT = { env: {} } as unknown as Context;

function refusalOf(work: () => void): CliError | null {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof CliError);
    return error;
  }
  return null;
}

describe('a command of kubectl or docker', () => {
  const ROWS: readonly (readonly [string, string, RegExp | null])[] = [
    ['that there is not: what to type instead', 'top nodes', /flotilla describe node/],
    ['that makes things', 'create -f x.yaml', /flotilla apply -f/],
    ['that changes things in place', 'edit bundle web', /change the manifest/],
    ['that is for the device', 'join --token-file x', /flotilla-agent join/],
    ['docker’s', 'ps', /flotilla get pods/],
    ['below one of ours', 'token list', /flotilla get tokens/],
    ['that is here', 'get pods', null],
    ['below one of ours, that is here', 'rollout status bundle/web', null],
    ['that nobody is known to type', 'frobnicate', null],
    ['below one of ours, that nobody is known to type', 'rollout frobnicate', null],
    ['a name of JavaScript’s', 'constructor', null],
    ['none', '', null],
  ];
  for (const [sentence, line, hint] of ROWS) {
    test(sentence, async () => {
      const args = line.split(' ');
      const program = await programOf(CONTEXT, args[0]);
      const refused = refusalOf(() => refuseOtherWords(program, args));
      if (hint === null) return assert.equal(refused, null);
      assert.equal(refused?.exit, 'refused');
      assert.match(refused.hint ?? '', hint);
    });
  }

  test('no word has an answer that is a command here: it would never be given', async () => {
    const program = await programOf(CONTEXT);
    for (const command of program.commands) {
      assert.equal(
        refusalOf(() => refuseOtherWords({ commands: [] }, [command.name()])),
        null,
      );
    }
  });

  test('at the device', () => {
    const ask = (word: string) => refusalOf(() => refuseAtDevice(['pods', 'run'], word));
    assert.match(ask('ps')?.hint ?? '', /flotilla-agent pods/);
    assert.match(ask('exec')?.hint ?? '', /docker exec/);
    assert.equal(ask('pods'), null);
    assert.equal(ask('frobnicate'), null);
  });
});

describe('a kind that the hub does not keep', () => {
  test('is refused with where that is found', () => {
    assert.match(insteadOfKind('deploy') ?? '', /flotilla get bundles/);
    assert.match(insteadOfKind('Services') ?? '', /hostPort/);
    assert.match(insteadOfKind('statefulsets.apps') ?? '', /flotilla get bundles/);
    assert.match(refusalOf(() => resourceOf('cm'))?.hint ?? '', /part of their bundle/);
  });
  test('one that nobody is known to ask for has no hint', () => {
    assert.equal(insteadOfKind('gadgets'), null);
    assert.equal(refusalOf(() => resourceOf('gadgets'))?.hint, null);
  });
});

test('a DaemonSet is another word for the bundle of its name', () => {
  for (const word of ['ds', 'daemonset', 'DaemonSets', 'daemonset.apps', 'ds.apps']) {
    assert.equal(resourceOf(word).kind, 'Bundle', word);
    assert.equal(bundleOf(`${word}/web`), 'web');
  }
  assert.equal(resourceOf('bundles.flotilla.dev').kind, 'Bundle');
  assert.equal(refusalOf(() => resourceOf('pods.apps'))?.hint, null);
});

test('delete -f is answered with the name that apply -f took from the same path', () => {
  assert.match(byFile(['shop/']).hint ?? '', /^flotilla delete bundle shop;/);
  assert.match(byFile(['a.yaml', 'b.yaml']).hint ?? '', /^flotilla delete bundle NAME;/);
});

test("a hub says its version behind the API's; another server has none", () => {
  assert.equal(hubVersionOf({ gitVersion: 'v1.30.0+flotilla-0.1.0' }), '0.1.0');
  assert.equal(hubVersionOf({ gitVersion: 'v1.30.0+k3s1' }), null);
});

test('an agent that runs another version than the program is told of', () => {
  assert.deepEqual(versionLines('0.2.0', null), ['Version: 0.2.0']);
  assert.deepEqual(versionLines('0.2.0', '0.2.0'), ['Version: 0.2.0']);
  assert.deepEqual(versionLines('0.2.0', '0.1.0'), [
    'Version: 0.2.0',
    'Running Agent: 0.1.0; it becomes 0.2.0 when it is started anew',
  ]);
});
