/**
 * The ceremony of docs/security.md and the drills of docs/recovery.md, typed as they stand there: only places, passphrases and questions are
 * replaced by what a test has.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { commandsOf } from '../support/doc-commands.js';
import { freePort } from '../support/ports.js';
import { Playground, type Run } from '../support/programs.js';

const CLI = join(import.meta.dirname, '../../../hub/bin/flotilla.js');

describe('the manual, typed as it stands', () => {
  const play = new Playground();
  let listen = '';

  const asTested = (commands: string) =>
    commands
      .replaceAll('/var/lib/flotilla-hub', play.path('hub'))
      .replaceAll('--hostname hub.example.com', listen)
      .replaceAll(/^(flotilla key generate .*)$/gm, '$1 --no-passphrase')
      .replaceAll(/^(flotilla (?:root (?:sign|publish)|hub recover) .*)$/gm, '$1 --yes')
      .replaceAll(/^flotilla hub run .*$/gm, ': # started beside');

  /** As a person types them into a shell that ends at the first failure. */
  const type = (commands: string): Promise<Run> =>
    new Promise(done => {
      const script = `flotilla() { ${process.execPath} ${CLI} "$@"; }\n${asTested(commands)}`;
      const env = { ...process.env, KUBECONFIG: play.path('hub/admin.kubeconfig') };
      const options = { cwd: play.dir, env, maxBuffer: 1 << 26 };
      const child = execFile('bash', ['-euc', script], options, (_, stdout, stderr) =>
        done({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  const typed = async (commands: string) => {
    const run = await type(commands);
    assert.equal(run.code, 0, `${run.stdout}${run.stderr}`);
    return run.stdout;
  };
  const root = async () => {
    const shown = await play.ok('root', 'show', '-o', 'json');
    return JSON.parse(shown) as {
      spec: { version: number; epoch: number; development: boolean; keys: object };
      status: { held: { role: string }[] };
    };
  };

  before(async () => {
    const [api, mqtt] = [await freePort(), await freePort()];
    listen = `--listen 127.0.0.1:${api} --mqtt-listen 127.0.0.1:${mqtt}`;
  });
  after(() => play.close());

  test('the ceremony makes a hub that holds neither root nor release keys', async () => {
    const printed = await typed(commandsOf('docs/security.md', 'ceremony'));
    assert.match(printed, /complete\n[^]*neither root nor release keys/);
    const keys = readdirSync(play.path('hub/keys'));
    assert.deepEqual(
      keys.filter(name => /^(root|release)/.test(name)),
      [],
    );
    play.startHub();
    await play.hubAnswers();
    const { spec, status } = await root();
    assert.equal(spec.development, false);
    assert.deepEqual(
      status.held.map(({ role }) => role),
      ['hub'],
    );
    play.write(
      'web/pod.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec: {containers: [{name: c, image: x:1}]}\n',
    );
    const applied = await play.flotilla(
      'apply',
      '-f',
      play.path('web'),
      '--bundle',
      'web',
      '--all-nodes',
    );
    assert.equal(applied.code, 2, applied.stdout);
  });

  test('the drill for a stolen hub key leads to a hub of a new epoch', async () => {
    await play.kill('hub', 'SIGKILL');
    await typed(commandsOf('docs/recovery.md', 'drill'));
    play.startHub();
    await play.hubAnswers();
    const { spec } = await root();
    assert.deepEqual([spec.version, spec.epoch], [2, 2]);
    assert.equal(existsSync(play.path('hub/recovery')), false);
  });

  test('the drill for a stolen release key leads to a root without it', async () => {
    await play.ok('key', 'generate', play.path('rita-2.key'), '--no-passphrase');
    const before = Object.keys((await root()).spec.keys);
    await typed(commandsOf('docs/recovery.md', 'drill-release'));
    const { spec } = await root();
    assert.equal(spec.version, 3);
    assert.equal(Object.keys(spec.keys).filter(id => !before.includes(id)).length, 1);
  });
});
