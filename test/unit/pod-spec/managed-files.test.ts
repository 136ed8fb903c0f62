/** The files that the agent keeps for containers, and the node's files that it reads for them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeHosts, writeResolvConf } from '../../../agent/pods/managed-files.js';
import { realClock } from '../../../agent/clock.js';
import { openNodeFiles, type NodeFiles } from '../../../agent/pods/node-files.js';
import { openPodVolumes } from '../../../agent/volumes/volumes.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import { manifest, nodeFactsOf, wish, type PodOptions, NODE } from '../../support/pods.js';

const dir = mkdtempSync(join(tmpdir(), 'fl-files-'));
after(() => {
  rmSync(dir, { recursive: true, force: true });
});
const volumes = openPodVolumes({ dataDir: dir, clock: realClock() });

const files: NodeFiles = {
  resolvConf: () => Promise.resolve('nameserver 10.0.0.2\n'),
  hosts: () => Promise.resolve('127.0.0.1 node\n'),
  seccompProfile: () => Promise.reject(new Error('nobody asks for one')),
};
const tools = { volumes, files, node: nodeFactsOf() };

async function mountsOf(options: PodOptions) {
  const desired = wish(manifest('web', options));
  await volumes.prepare(desired, nodeFactsOf());
  const [container] = desired.pod.spec.containers;
  assert.ok(container !== undefined);
  const facts = { env: new Map<string, string>(), features: null };
  const { mounts } = await volumes.mounts(desired, container, facts);
  return new Map(mounts.map(mount => [mount.containerPath, mount]));
}

describe('managed files', () => {
  test('rows 173, 174: every container has both, writable as long as its root is', async () => {
    const plain = await mountsOf({});
    assert.deepEqual([...plain.keys()].sort(), ['/etc/hosts', '/etc/resolv.conf']);
    assert.deepEqual(
      [...plain.values()].map(({ readOnly }) => readOnly),
      [false, false],
    );
    const closed = await mountsOf({
      containers: [{ name: 'app', securityContext: { readOnlyRootFilesystem: true } }],
    });
    assert.deepEqual(
      [...closed.values()].map(({ readOnly }) => readOnly),
      [true, true],
    );
  });

  test('row 175: a container’s own mount in the place holds', async () => {
    const mounts = await mountsOf({
      spec: { volumes: [{ name: 'own', hostPath: { path: '/etc/hosts' } }] },
      containers: [{ name: 'app', volumeMounts: [{ name: 'own', mountPath: '/etc/hosts' }] }],
    });
    assert.equal(mounts.get('/etc/hosts')?.hostPath, '/etc/hosts');
    assert.equal(mounts.size, 2);
  });

  test('rows 174, 175: written in place with mode 0644, so that running containers see it', async () => {
    const desired = wish(manifest('web'));
    await writeHosts(desired, [], tools);
    const path = join(dir, 'pods', desired.uid, 'etc-hosts');
    const before = statSync(path);
    await writeHosts(desired, [], tools);
    // Who reads it while a sibling starts finds it whole: what is the same is not written again.
    assert.equal(statSync(path).mtimeMs, before.mtimeMs);
    await writeHosts(desired, ['10.9.9.9'], tools);
    assert.match(readFileSync(path, 'utf8'), /\n10\.9\.9\.9\tweb-edge1\n$/);
    assert.equal(statSync(path).ino, before.ino);
    assert.equal(before.mode & 0o777, 0o644);
    await writeHosts(desired, [], tools);
    assert.doesNotMatch(readFileSync(path, 'utf8'), /10\.9/);
  });

  test('rows 173, 174: every user can read them, whatever the agent’s umask', async () => {
    const desired = wish(manifest('masked'));
    const umask = process.umask(0o077);
    try {
      await writeHosts(desired, [], tools);
      await writeResolvConf(desired, tools);
    } finally {
      process.umask(umask);
    }
    for (const file of ['etc-hosts', 'resolv.conf']) {
      assert.equal(statSync(join(dir, 'pods', desired.uid, file)).mode & 0o777, 0o644);
    }
  });

  test('row 175: with the host’s network the node’s own lines stand in it', async () => {
    const desired = wish(manifest('shared', { spec: { hostNetwork: true } }));
    await writeHosts(desired, ['10.9.9.9'], tools);
    const text = readFileSync(join(dir, 'pods', desired.uid, 'etc-hosts'), 'utf8');
    assert.equal(text, '# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n');
  });

  test('row 171 better: who names no dnsPolicy hears nothing of a cluster DNS that is not there', async () => {
    assert.deepEqual(await writeResolvConf(wish(manifest('plain')), tools), []);
  });

  test('row 171: resolv.conf is written, and what is worth an event comes back', async () => {
    const desired = wish(manifest('names', { spec: { dnsPolicy: 'ClusterFirst' } }));
    const warnings = await writeResolvConf(desired, tools);
    assert.deepEqual(
      warnings.map(({ reason }) => reason),
      ['MissingClusterDNS'],
    );
    assert.equal(
      warnings[0]?.message,
      `pod: "names-${NODE}_default(${desired.uid})". This node has no cluster DNS (clusterDNS in the ` +
        'agent\'s configuration), so the pod\'s dnsPolicy "ClusterFirst" falls back to "Default": the ' +
        'name servers of the node. Set spec.dnsPolicy to Default to say that this is meant',
    );
    const text = readFileSync(join(dir, 'pods', desired.uid, 'resolv.conf'), 'utf8');
    assert.equal(text, 'nameserver 10.0.0.2\n');
  });
});

describe('files of the node', () => {
  const seccompDir = join(dir, 'seccomp');
  const own = openNodeFiles({ resolvConf: join(dir, 'my-resolv.conf'), seccompDir });

  test('row 171: the configured resolver file is read anew each time', async () => {
    assert.equal(await own.resolvConf(), '');
    writeFileSync(join(dir, 'my-resolv.conf'), 'nameserver 127.0.0.53\n');
    assert.equal(await own.resolvConf(), 'nameserver 127.0.0.53\n');
  });

  test('row 160: a seccomp profile is the text of its file', async () => {
    mkdirSync(join(seccompDir, 'shop'), { recursive: true });
    writeFileSync(join(seccompDir, 'shop/web.json'), '{}');
    assert.equal(await own.seccompProfile('shop/web.json'), '{}');
  });

  test('row 160: a missing profile is a create error that names the file', async () => {
    await assert.rejects(
      own.seccompProfile('none.json'),
      (error: unknown) =>
        error instanceof RuntimeError &&
        error.code === 'CreateContainerError' &&
        error.message.includes(join(seccompDir, 'none.json')),
    );
  });
});
