/** Files, names and power cuts: S51–S60. The attacker writes what the row lets him write, or pulls the plug. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { docker } from '../../support/docker.js';
import { bundle, publishBundle } from '../../support/attacks/make.js';
import { refuses, refusesBundle } from '../../support/attacks/refusal.js';
import { attacks, type Stage } from '../../support/attacks/row.js';
import { NODE } from '../../support/attacks/cast.js';
import { podText } from '../../support/attacks/documents.js';
import { Victim } from '../../support/attacks/victim.js';
import { eventually } from '../../support/wait.js';

const open = (run: (victim: Victim) => Promise<unknown>) => async (stage: Stage) => {
  await run(await stage.open());
};

const manifests = (victim: Victim) => victim.play.path(NODE, 'manifests');

function ownedFile(victim: Victim, name: string): string {
  const found = readdirSync(manifests(victim)).find(file => file.startsWith(`flotilla_${name}_`));
  assert.ok(found, `no file of ${name}`);
  return join(manifests(victim), found);
}

/** What lies around the static pod directory. */
const surroundings = (victim: Victim) =>
  [victim.play.dir, victim.play.path(NODE)].flatMap(dir => readdirSync(dir)).sort();

/** Names and environments of all containers of the node, ended ones too. */
function everStarted(victim: Victim): string {
  const ids = victim.containers().filter(id => id !== '');
  return ids.length === 0 ? '' : docker('inspect', '--format', '{{.Name}} {{.Config.Env}}', ...ids);
}

const EVIL_NAMES = [
  '../x',
  '/etc/x',
  'a/../../b',
  '..%2fx',
  '..\\x',
  '.',
  '',
  '.hidden',
  '-rf',
  'x~',
  'a\nb',
  'a\u0000b',
  'x'.repeat(300),
];
/** Equal to a good name, or to each other, in some file system or some eyes. */
const LOOK_ALIKES = ['Prey', 'caf\u00e9', 'cafe\u0301', '\u212aelvin', 'pr\u0435y', 'ﬁne'];

async function evilNames(victim: Victim, names: readonly string[]): Promise<void> {
  const around = surroundings(victim);
  for (const [index, name] of names.entries()) {
    const of = `evil-${names.length}-${index}`;
    const pods = [{ ...podText('prey'), metadata: { name, namespace: 'default' } }];
    const made = bundle(victim, { name: of }, pods);
    await refusesBundle(victim, made.assigned, {
      code: ['Malformed', 'BadName'],
      send: () => publishBundle(victim, made),
    });
    const assigned = { ...victim.next().bundles[0]!, name };
    await refuses(victim, {
      code: ['Malformed', 'BadName'],
      send: () => victim.publishAssignment(victim.next({ bundles: [assigned] })),
    });
  }
  // Its own drafts come and go there.
  await eventually('nothing lies beside the directory', () => {
    assert.deepEqual(surroundings(victim), around);
    return true;
  });
}

async function twoOfOneName(victim: Victim): Promise<void> {
  const twins = bundle(victim, { name: 'twins' }, [
    podText('twin'),
    podText('twin', { hostNetwork: true }),
  ]);
  await refusesBundle(victim, twins.assigned, {
    code: 'Conflict',
    send: () => publishBundle(victim, twins),
  });
  const other = bundle(victim, { name: 'other' }, [podText('witness')]);
  await refusesBundle(victim, other.assigned, {
    code: 'Conflict',
    send: () => publishBundle(victim, other),
  });
}

async function plantedLinks(victim: Victim): Promise<void> {
  const file = ownedFile(victim, 'witness');
  const before = readFileSync(file, 'utf8');
  const target = victim.play.write('precious', 'mine');
  const containers = victim.containers();
  for (const plant of [symlinkSync, linkSync]) {
    // In one step: it is written anew as soon as it is gone.
    const draft = victim.play.path('planted');
    plant(target, draft);
    renameSync(draft, file);
    await eventually('a plain file of its own again', () => {
      const { nlink } = lstatSync(file);
      return lstatSync(file).isFile() && nlink === 1 && readFileSync(file, 'utf8') === before;
    });
    assert.equal(readFileSync(target, 'utf8'), 'mine', 'the target was written');
  }
  assert.deepEqual(victim.containers(), containers, 'the pod was touched');
}

async function writableDirectory(victim: Victim): Promise<void> {
  const directory = manifests(victim);
  const made = bundle(victim, { name: 'later' }, [podText('later')]);
  const { bundles } = victim.current;
  await publishBundle(victim, made);
  chmodSync(directory, 0o777);
  try {
    await victim.assign({ bundles: [...bundles, made.assigned] });
    await eventually('UnsafeDirectory is said', () => {
      const status = victim.statuses.at(-1);
      return JSON.stringify([status?.conditions, status?.bundles]).includes('UnsafeDirectory');
    });
    assert.ok(!readdirSync(directory).some(file => file.startsWith('flotilla_later_')));
  } finally {
    chmodSync(directory, 0o755);
  }
  await victim.isHealthy(made.assigned);
  await victim.assign({ bundles });
  await victim.isGone(made.assigned);
}

/** Swaps the content of the agent's file for his own, again and again. */
async function swapsContent(victim: Victim): Promise<void> {
  const file = ownedFile(victim, 'witness');
  const good = readFileSync(file, 'utf8');
  const evil = good.replace('"image":', '"env":[{"name":"EVIL","value":"1"}],"image":');
  assert.notEqual(evil, good);
  for (let i = 0; i < 60; i++) {
    writeFileSync(file, evil);
    await delay(i);
    assert.doesNotMatch(everStarted(victim), /EVIL=1/);
  }
  await eventually('the file is mended', () => readFileSync(file, 'utf8') === good);
  await victim.assign();
  assert.doesNotMatch(everStarted(victim), /EVIL=1/);
}

async function dropsOwn(victim: Victim): Promise<void> {
  const evil = JSON.stringify(podText('guest'));
  const path = join(manifests(victim), 'flotilla_guest_0123456789abcdef.json');
  const containers = victim.containers();
  writeFileSync(path, evil);
  await eventually('it is reported', () =>
    victim.statuses.at(-1)?.conditions.some(({ reason }) => reason === 'NotExplained'),
  );
  await victim.assign();
  assert.ok(existsSync(path), 'what belongs to somebody is not deleted');
  assert.deepEqual(victim.containers(), containers);
  rmSync(path);
}

async function fullDisk(victim: Victim): Promise<void> {
  const made = bundle(victim, { name: 'full' }, [podText('full')]);
  const { bundles } = victim.current;
  const before = victim.containers();
  const filler = victim.play.path(NODE, 'filler');
  fill(filler);
  const said = victim.statuses.length;
  await publishBundle(victim, made);
  await victim.publishAssignment(victim.next({ bundles: [...bundles, made.assigned] }));
  await eventually('the disk is said to be full', () =>
    JSON.stringify(victim.statuses.slice(said)).includes('DiskError'),
  );
  assert.deepEqual(victim.containers(), before, 'the old set is intact');
  rmSync(filler);
  await victim.assign({ generation: victim.current.generation + 2, bundles });
  await victim.runs(made.assigned);
}

/** Takes every byte that is left. */
function fill(path: string): void {
  const descriptor = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size >= 1; size >>= 1) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(size));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

async function killedInApply(victim: Victim): Promise<void> {
  const { bundles } = victim.current;
  const pair = (revision: number) =>
    bundle(
      victim,
      { name: 'pair', revision },
      ['left', 'right'].map(name => {
        const pod = podText(name);
        return {
          ...pod,
          metadata: { annotations: { rev: String(revision) }, name, namespace: 'default' },
        };
      }),
    );
  const revisionsThere = () =>
    readdirSync(manifests(victim))
      .filter(file => file.startsWith('flotilla_pair_'))
      .map(file => /"rev":"(\d+)"/.exec(readFileSync(join(manifests(victim), file), 'utf8'))?.[1]);
  let last = pair(1);
  for (let revision = 1; revision <= 8; revision++) {
    last = pair(revision);
    await publishBundle(victim, last);
    const next = victim.next({ bundles: [...bundles, last.assigned] });
    await victim.publishAssignment(next);
    victim.current = next;
    await delay(revision * 12);
    await victim.play.kill(NODE, 'SIGKILL');
    victim.play.startAgent(NODE);
    await eventually('all of the new revision', () => {
      const there = revisionsThere();
      return there.length === 2 && there.every(one => one === String(revision));
    });
  }
  await victim.isHealthy(last.assigned);
  await victim.assign({ bundles });
  await victim.isGone(last.assigned);
}

async function leftovers(victim: Victim): Promise<void> {
  const name = '.flotilla_left_0123456789abcdef.json';
  await victim.play.kill(NODE, 'SIGKILL');
  writeFileSync(join(manifests(victim), name), JSON.stringify(podText('left')));
  const containers = victim.containers();
  victim.play.startAgent(NODE);
  await eventually('it is removed', () => !existsSync(join(manifests(victim), name)));
  await victim.assign();
  assert.deepEqual(victim.containers(), containers);
}

attacks('files, names and in the middle of a change', [
  {
    id: 'S51',
    title: 'names that lead elsewhere',
    run: open(victim => evilNames(victim, EVIL_NAMES)),
  },
  {
    id: 'S52',
    title: 'names that look or fold alike',
    run: open(victim => evilNames(victim, LOOK_ALIKES)),
  },
  { id: 'S53', title: 'two pods of one name', run: open(twoOfOneName) },
  { id: 'S54', title: 'a planted symbolic or hard link', run: open(plantedLinks) },
  {
    id: 'S55',
    title: 'a static pod directory that others may write',
    run: open(writableDirectory),
  },
  { id: 'S56', title: 'content swapped between write and start', run: open(swapsContent) },
  { id: 'S57', title: 'a manifest of his own under the agent’s prefix', run: open(dropsOwn) },
  {
    id: 'S58',
    title: 'a full disk',
    run: async () => {
      const victim = await Victim.open({ acl: false, diskMiB: 24 });
      try {
        await fullDisk(victim);
      } finally {
        await victim.close();
      }
    },
  },
  { id: 'S59', title: 'killed at every moment of an apply', run: open(killedInApply) },
  { id: 'S60', title: 'left-over temporary files', run: open(leftovers) },
]);
