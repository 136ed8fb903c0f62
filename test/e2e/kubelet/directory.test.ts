/**
 * The manifest directory as a person at the node sees it: files in, containers out. Each test names the row of the
 * kubelet's behaviour that it covers; "better" where the kubelet is weak.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, pod } from '../../support/black-box.js';
import { noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

describe('the directory, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  /** A pod that runs all the time beside the others: nothing that happens to them may touch it. */
  let witness = '';

  before(async () => {
    box.put('witness.yaml', pod('witness'));
    await box.start();
    await box.ready('witness');
    witness = box.running('witness', 'app').Id;
  });
  after(() => box.close());

  test('row 2: a file that lies there at the start runs', () => {
    assert.notEqual(witness, '');
  });

  test('row 3: a file that comes later is seen by the watch; row 11: JSON under the name .yaml', async () => {
    box.put('later.yaml', pod('later'));
    await box.ready('later');
    box.remove('later.yaml');
    await box.gone('later');
  });

  test('row 4: a name with a dot in front is ignored until it is renamed', async () => {
    box.put('.hidden.yaml', pod('hidden'));
    box.put('visible.bak', 'x');
    await eventually('what came after it is listed as skipped', async () =>
      (await box.conditions('FileSkipped')).some(one => one.startsWith('visible.bak:')),
    );
    assert.equal((await box.conditions('FileSkipped')).length, 1, 'it is passed over silently');
    box.remove('visible.bak');
    assert.deepEqual(box.inspect('hidden'), []);
    renameSync(box.file('.hidden.yaml'), box.file('hidden.yaml'));
    await box.ready('hidden');
    box.remove('hidden.yaml');
  });

  test('rows 5, 6 and 9, P1 better, acceptance 3: backups, editors’ files, pipes, folders and dangling links are skipped, each with its reason', async () => {
    const shadow = JSON.stringify(pod('witness', [container('shadow')]));
    const names = ['witness.yaml~', 'witness.yaml.bak', '#witness.yaml#', 'witness.yaml.orig'];
    for (const name of names) box.put(name, shadow);
    mkdirSync(box.file('folder'));
    box.write('folder/inner.yaml', pod('inner'));
    execFileSync('mkfifo', [box.file('pipe.yaml')]);
    symlinkSync('/nowhere/at/all', box.file('dangling.yaml'));
    const all = [...names, 'folder', 'pipe.yaml', 'dangling.yaml'];
    await eventually('each is listed', async () => {
      const { conditions } = await box.status();
      const told = conditions.map(({ message }) => message);
      return all.every(name => told.some(message => message.startsWith(`${name}:`)));
    });
    assert.equal(box.running('witness', 'app').Id, witness);
    assert.deepEqual(box.inspect('inner'), []);
    for (const name of all) rmSync(box.file(name), { recursive: true });
  });

  test('row 7: a link to a file elsewhere runs; row 8, P11 better: an edit of its target is seen', async () => {
    const target = box.path('target.yaml');
    writeFileSync(target, JSON.stringify(pod('linked')));
    symlinkSync(target, box.file('linked.yaml'));
    await box.ready('linked');
    const id = box.running('linked', 'app').Id;
    writeFileSync(target, JSON.stringify(pod('linked', [container('app', 'sleep 5000')])));
    await eventually('the edit runs', () => box.running('linked', 'app').Id !== id);
    box.remove('linked.yaml');
    await box.gone('linked');
  });

  test('row 10: a file over 10 MiB is refused, the others run', async () => {
    box.write('big.yaml', `# ${'x'.repeat(11 * 1024 * 1024)}`);
    await eventually('it is refused', async () =>
      (await box.conditions('ManifestRefused')).some(one => /^big\.yaml: .*10/.test(one)),
    );
    box.remove('big.yaml');
    assert.equal(box.running('witness', 'app').Id, witness);
  });

  test('row 12 better: every document of a file runs; row 13 better: so does a List', async () => {
    const two = [pod('first'), pod('second')].map(one => JSON.stringify(one)).join('\n---\n');
    box.put('two.yaml', two);
    box.put('list.yaml', { apiVersion: 'v1', kind: 'List', items: [pod('third')] });
    for (const name of ['first', 'second', 'third']) await box.ready(name);
    box.remove('two.yaml');
    box.remove('list.yaml');
    for (const name of ['first', 'second', 'third']) await box.gone(name);
  });

  const refused: [string, string | Record<string, unknown>, RegExp][] = [
    [
      'row 13: a Deployment',
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } },
      /Deployment is not a v1 Pod/,
    ],
    [
      'row 14 better: an unknown field, with its line and a guess',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: typo}\nspec:\n  containers:\n  - name: a\n    image: x\n    imagePullpolicy: Never\n',
      /bad\.yaml:8:5: .*imagePullpolicy.*did you mean "imagePullPolicy"/,
    ],
    [
      'row 14 better: a key twice',
      'apiVersion: v1\nkind: Pod\nkind: Pod\nmetadata: {name: t}\n',
      /kind/,
    ],
    [
      'row 15: a pod without a name',
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { generateName: 'x-' },
        spec: { containers: [container('a')] },
      },
      /metadata\.name/,
    ],
  ];
  for (const [sentence, content, wanted] of refused) {
    test(`${sentence} is refused and named (row 16, 63: alone, and visibly)`, async () => {
      box.put('bad.yaml', content);
      await eventually('it is refused', async () =>
        (await box.conditions('ManifestRefused')).some(one => wanted.test(one)),
      );
      assert.equal(box.running('witness', 'app').Id, witness);
      box.remove('bad.yaml');
      await eventually(
        'no trace',
        async () => (await box.conditions('ManifestRefused')).length === 0,
      );
    });
  }

  test('row 24: touch, chmod, comments and another order of keys change nothing', async () => {
    const text = 'apiVersion: v1\nkind: Pod\nmetadata: {name: same}\nspec:\n';
    const one = JSON.stringify(container('app'));
    box.put('same.yaml', `${text}  terminationGracePeriodSeconds: 1\n  containers: [${one}]\n`);
    await box.ready('same');
    const before = box.running('same', 'app').Id;
    utimesSync(box.file('same.yaml'), new Date(), new Date());
    execFileSync('chmod', ['600', box.file('same.yaml')]);
    appendFileSync(box.file('same.yaml'), '# a comment\n');
    box.put('same.yaml', `${text}  containers: [${one}]\n  terminationGracePeriodSeconds: 1\n`);
    box.put('sign.yaml', pod('sign'));
    await box.ready('sign');
    assert.equal(box.running('same', 'app').Id, before);
    box.remove('same.yaml');
    box.remove('sign.yaml');
  });

  test('row 25: a file that is moved away ends its pod', async () => {
    box.put('moved.yaml', pod('moved'));
    await box.ready('moved');
    renameSync(box.file('moved.yaml'), box.path('elsewhere.yaml'));
    await box.gone('moved');
  });

  test('row 26 better: another name of the file touches nothing', async () => {
    box.put('a.yaml', pod('renamed'));
    await box.ready('renamed');
    const id = box.running('renamed', 'app').Id;
    const told = (await box.events('PodConflict')).length;
    renameSync(box.file('a.yaml'), box.file('b.yaml'));
    renameSync(box.file('b.yaml'), box.file('c.yaml'));
    await delay(200);
    renameSync(box.file('c.yaml'), box.file('b.yaml'));
    box.put('sign.yaml', pod('sign'));
    await box.ready('sign');
    assert.equal(box.running('renamed', 'app').Id, id);
    assert.deepEqual((await box.events('PodConflict')).slice(told), [], 'it was never there twice');
    box.remove('b.yaml');
    box.remove('sign.yaml');
    await box.gone('renamed');
  });

  test('rows 27 and 28 better, acceptance 4: of two files for one pod the running one stays, and deleting either is no outage', async () => {
    box.put(
      'a.yaml',
      pod('twice', [container('app', undefined, { env: [{ name: 'V', value: 'a' }] })]),
    );
    await box.ready('twice');
    const id = box.running('twice', 'app').Id;
    box.put(
      'b.yaml',
      pod('twice', [container('app', undefined, { env: [{ name: 'V', value: 'b' }] })]),
    );
    await eventually('the conflict is told', async () =>
      (await box.conditions('PodConflict')).some(one =>
        /^b\.yaml: .*a\.yaml, which stays/.test(one),
      ),
    );
    assert.equal(box.running('twice', 'app').Id, id);
    box.remove('b.yaml');
    await eventually('no conflict', async () => (await box.conditions('PodConflict')).length === 0);
    assert.equal(box.running('twice', 'app').Id, id);
    box.put('c.yaml', readFileSync(box.file('a.yaml'), 'utf8'));
    await eventually('a conflict', async () => (await box.conditions('PodConflict')).length === 1);
    box.remove('a.yaml');
    await eventually('no conflict', async () => (await box.conditions('PodConflict')).length === 0);
    assert.equal(box.running('twice', 'app').Id, id);
    box.remove('c.yaml');
    await box.gone('twice');
  });

  test('row 29, T18 better, acceptance 6: name and namespace changed in place, with a host port: the new one runs', async () => {
    const ports = [{ containerPort: 80, hostPort: await freePort('0.0.0.0') }];
    const one = container('app', undefined, { ports });
    box.put('port.yaml', pod('old', [one]));
    await box.ready('old');
    box.put('port.yaml', pod('new', [one], { metadata: { namespace: 'other' } }));
    await eventually('the new one runs', async () => {
      const found = await box.pod('new', 'other');
      return found?.status?.phase === 'Running';
    });
    await box.gone('old');
    box.remove('port.yaml');
    await box.gone('new');
  });

  test('acceptance 1, rows 17 to 21 better, P5: eight ways to break a running manifest, and a ninth, keep its container and name file and error', async () => {
    const good = JSON.stringify(pod('broken'));
    box.put('broken.yaml', good);
    await box.ready('broken');
    const id = box.running('broken', 'app').Id;
    /** In one step: between two the file would not be there, and its pod might end. */
    const become = (make: (draft: string) => void) => {
      const draft = box.path('draft');
      make(draft);
      renameSync(draft, box.file('broken.yaml'));
    };
    // With each what a person reads first: the place, and what is wrong there.
    const ways: [string, () => void, RegExp][] = [
      ['empty', () => truncateSync(box.file('broken.yaml'), 0), /: there is no manifest in it/],
      ['cut', () => box.write('broken.yaml', good.slice(0, good.length / 2)), /:1:\d+: /],
      ['bad YAML', () => box.put('broken.yaml', 'a: [b\nc: }'), /:2:1: Flow sequence/],
      [
        'unknown kind',
        () => box.put('broken.yaml', { ...pod('broken'), kind: 'Pood' }),
        /:1:\d+: kind: v1 Pood is not a v1 Pod/,
      ],
      [
        'no name',
        () => box.put('broken.yaml', { ...pod('x'), metadata: {} }),
        /:1:\d+: metadata\.name: Required/,
      ],
      [
        'forbidden field',
        () => box.put('broken.yaml', pod('broken', undefined, { serviceAccountName: 'x' })),
        /:1:\d+: spec\.serviceAccountName: Forbidden/,
      ],
      ['unreadable', () => become(draft => symlinkSync(box.file('broken.yaml'), draft)), /: ELOOP/],
      [
        'a link to nothing',
        () => become(draft => symlinkSync('/nowhere/at/all', draft)),
        /: the link leads nowhere/,
      ],
      [
        'too big',
        () => become(draft => writeFileSync(draft, Buffer.alloc(11 * 1024 * 1024, 35))),
        /: 11534336 bytes, the limit is 10485760/,
      ],
    ];
    const isOfFile = (message: string) => message.startsWith('broken.yaml');
    for (const [way, breakIt, wanted] of ways) {
      breakIt();
      // What is written in place may be seen half written, which is another error.
      const message = await eventually(`${way}: told`, async () => {
        const told = (await box.conditions('ManifestRefused')).filter(isOfFile);
        const found = told.find(one => wanted.test(one));
        if (found !== undefined) return found;
        throw new Error(told.join());
      });
      assert.match(message, /; the last good pods of this file stay$/, way);
      await eventually(`${way}: an event`, async () =>
        (await box.events('FailedValidation')).some(event => event.message === message),
      );
      await box.until(`${way}: told in its status`, 'broken', ({ status }) =>
        status?.conditions?.some(one => one.type === 'UpdateRejected' && one.message === message),
      );
      assert.equal(box.running('broken', 'app').Id, id, way);
      box.put('broken.yaml', good);
      await box.until(`${way}: mended`, 'broken', ({ status }) =>
        status?.conditions?.every(one => one.type !== 'UpdateRejected'),
      );
      await eventually(
        `${way}: not told any more`,
        async () => !(await box.conditions('ManifestRefused')).some(isOfFile),
      );
    }
    await delay(2_500);
    assert.equal(box.running('broken', 'app').Id, id);
    box.remove('broken.yaml');
    await box.gone('broken');
  });

  test('acceptance 2, P3 and P4: every way to write a manifest makes one restart', async () => {
    const version = (n: number) =>
      `${JSON.stringify(pod('written', [container('app', undefined, { env: [{ name: 'N', value: String(n) }] })]))}\n`;
    box.put('written.yaml', version(0));
    await box.ready('written');
    const file = box.file('written.yaml');
    const draft = box.path('draft');
    const inPieces = async (text: string) => {
      const handle = openSync(file, 'w');
      for (let at = 0; at < text.length; at += 64) {
        writeSync(handle, text.slice(at, at + 64));
        await delay(20);
      }
      closeSync(handle);
    };
    const ways: [string, (n: number) => Promise<void> | void][] = [
      ['mv', n => (writeFileSync(draft, version(n)), renameSync(draft, file))],
      ['cp', n => (writeFileSync(draft, version(n)), copyFileSync(draft, file))],
      ['cat >', n => writeFileSync(file, version(n))],
      ['tee in pieces', n => inPieces(version(n))],
      ['sed -i', n => void execFileSync('sed', ['-i', `s/"value":"[0-9]*"/"value":"${n}"/`, file])],
      [
        'vim: backup, write, rename',
        n => {
          copyFileSync(file, `${file}~`);
          writeFileSync(box.file('4913'), '');
          rmSync(box.file('4913'));
          renameSync(file, `${file}~`);
          writeFileSync(file, version(n));
          rmSync(`${file}~`);
        },
      ],
      [
        'rsync: hidden name, rename',
        n => {
          writeFileSync(box.file('.written.yaml.Xy12'), version(n));
          renameSync(box.file('.written.yaml.Xy12'), file);
        },
      ],
    ];
    for (const [index, [way, write]] of ways.entries()) {
      const n = index + 1;
      const before = new Set(box.inspect('written', 'app').map(one => one.Id));
      await write(n);
      await eventually(`${way}: the new one runs`, () =>
        box.running('written', 'app').Config.Env.includes(`N=${n}`),
      );
      const made = box.inspect('written', 'app').filter(one => !before.has(one.Id));
      assert.equal(made.length, 1, `${way}: ${made.length} containers were made`);
    }
    box.remove('written.yaml');
    await box.gone('written');
  });

  test('row 22 better: without its directory nothing is stopped, and a new directory is read', async () => {
    renameSync(box.manifests, box.path('away'));
    await eventually('it is told', async () =>
      (await box.conditions('StaticPodPath')).some(one => /nothing is stopped/.test(one)),
    );
    assert.equal(box.running('witness', 'app').Id, witness);
    renameSync(box.path('away'), box.manifests);
    // Row 23 better: the watch is on the new directory.
    box.put('again.yaml', pod('again'));
    await box.ready('again');
    assert.equal(box.running('witness', 'app').Id, witness);
    box.remove('again.yaml');
    await box.gone('again');
  });
});

describe('a path that names one file, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  after(() => box.close());

  test('row 1: one file is one source; row 18: a bad edit keeps its pod', async () => {
    const file = box.path('single.yaml');
    writeFileSync(file, JSON.stringify(pod('single')));
    box.configure({ staticPodPath: file });
    await box.start();
    await box.ready('single');
    const id = box.running('single', 'app').Id;
    writeFileSync(file, 'a: [');
    await eventually(
      'it is refused',
      async () => (await box.conditions('ManifestRefused')).length > 0,
    );
    assert.equal(box.running('single', 'app').Id, id);
    writeFileSync(file, JSON.stringify(pod('single', [container('app', 'sleep 5000')])));
    await eventually('the edit runs', () => box.running('single', 'app').Id !== id);
    rmSync(file);
    await box.gone('single');
  });
});
