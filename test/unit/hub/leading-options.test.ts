import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { behindTheCommand } from '../../../hub/cli/leading-options.js';

const ROWS: readonly [string, string, string][] = [
  ['behind: as it is', 'get pods -n shop', 'get pods -n shop'],
  ['in front', '-n shop get pods', 'get pods -n shop'],
  ['in front, joined', '--namespace=shop get pods', 'get pods --namespace=shop'],
  ['in front, short and joined', '-nshop get pods', 'get pods -nshop'],
  ['several', '--kubeconfig k --context c get nodes', 'get nodes --kubeconfig k --context c'],
  ['before a command of a container', '-n shop exec web -- ls -n', 'exec web -n shop -- ls -n'],
  ['a value that looks like one', '-n --context get pods', 'get pods -n --context'],
  ['one without a value', '-n', '-n'],
  ['another option in front', '--version', '--version'],
  ['nothing', '', ''],
];

describe('options in front of the command', () => {
  for (const [sentence, given, wanted] of ROWS) {
    test(sentence, () => {
      const words = (text: string) => text.split(' ').filter(Boolean);
      assert.deepEqual(behindTheCommand(words(given)), words(wanted));
    });
  }
});
