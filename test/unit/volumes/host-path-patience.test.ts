/** Paths of the node that do not answer, as on a file server that hangs: they hold up nobody else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HostPathPatience } from '../../../agent/volumes/host-path-patience.js';
import { canHang, reachHostPath } from '../../../agent/volumes/host-path-reach.js';
import { fastClock } from '../../support/fast-clock.js';
import { T0 } from '../../support/pods.js';

const never = () => new Promise<string>(() => undefined);
const atOnce = () => Promise.resolve();
const yes = () => Promise.resolve('yes');
const noAnswer = /hostPath type check failed: \/mnt\/nas does not answer .*is its file server away/;

describe('a host path that does not answer', () => {
  test('is given up in time, and not asked again while it is silent', async () => {
    const patience = new HostPathPatience(fastClock(T0, 1_000), atOnce);
    await assert.rejects(patience.ask('/mnt/nas', never), noAnswer);
    let asked = 0;
    const counting = () => Promise.resolve(++asked);
    for (let again = 0; again < 5; again++) {
      await assert.rejects(patience.ask('/mnt/nas', counting), noAnswer);
    }
    assert.equal(asked, 0, 'each call would keep a thread');
  });

  test('does not hold up another path', async () => {
    const patience = new HostPathPatience(fastClock(T0, 1_000), atOnce);
    void patience.ask('/mnt/nas', never).catch(() => undefined);
    assert.equal(await patience.ask('/srv', yes), 'yes');
  });

  test('is asked again when it has answered after all', async () => {
    const patience = new HostPathPatience(fastClock(T0, 1_000), atOnce);
    let answer: (what: string) => void = () => undefined;
    const late = () => new Promise<string>(done => (answer = done));
    await assert.rejects(patience.ask('/mnt/nas', late), noAnswer);
    answer('late');
    await new Promise(setImmediate);
    assert.equal(await patience.ask('/mnt/nas', yes), 'yes');
  });

  test('that says no says so, each time', async () => {
    const patience = new HostPathPatience(fastClock(T0), atOnce);
    const no = () => Promise.reject(new Error('EACCES'));
    await assert.rejects(patience.ask('/srv', no), /EACCES/);
    await assert.rejects(patience.ask('/srv', no), /EACCES/);
    assert.equal(await patience.ask('/srv', yes), 'yes');
  });

  test('two that ask at one time both hear', async () => {
    const patience = new HostPathPatience(fastClock(T0), atOnce);
    const answers = await Promise.all([patience.ask('/srv', yes), patience.ask('/srv', yes)]);
    assert.deepEqual(answers, ['yes', 'yes']);
  });

  test('is not asked by the agent itself before it was reached: that would keep a thread', async () => {
    let arrive: () => void = () => undefined;
    const reach = () => new Promise<void>(done => (arrive = done));
    const patience = new HostPathPatience(fastClock(T0, 1_000), reach);
    let asked = 0;
    const counting = () => Promise.resolve(++asked);
    await assert.rejects(patience.ask('/mnt/nas', counting), noAnswer);
    assert.equal(asked, 0);
    arrive();
    await new Promise(setImmediate);
    assert.equal(asked, 1);
  });

  test('a path that is there and one that is not both answer', async () => {
    await reachHostPath('/');
    await reachHostPath('/nothing/of/this/name');
  });
});

describe('mounts that can hang', () => {
  const line = (place: string, type: string) =>
    `36 35 98:0 / ${place} rw,noatime shared:1 - ${type} server:/export rw`;
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['/', 'ext4', false],
    ['/mnt', 'nfs4', true],
    ['/mnt', 'cifs', true],
    ['/mnt', 'fuse.sshfs', true],
    ['/mnt', 'fuse', true],
    ['/run', 'tmpfs', false],
    ['/sys/fs/fuse/connections', 'fusectl', false],
    ['/proc/sys/fs/binfmt_misc', 'autofs', false],
    ['/home', 'autofs', true],
  ];
  for (const [place, type, expected] of rows) {
    test(`${type} on ${place}: ${expected ? 'can' : 'cannot'}`, () => {
      const table = `${line('/', 'ext4')}\n${line(place, type)}\n`;
      assert.equal(canHang(table), expected);
    });
  }
});
