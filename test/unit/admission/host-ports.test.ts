/** Which pods may begin beside the ports that others have (kubelet behaviour row 184, T18). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ObservedPods } from '../../../agent/runtime/runtime.js';
import {
  NOTHING,
  READY,
  admit,
  find,
  messageOf,
  onPort,
  pod,
  report,
  verdicts,
} from '../../support/admission.js';
import { NODE, running, sandboxOf, together, wishes, type PodOptions } from '../../support/pods.js';

describe('row 184: host ports', () => {
  test('the second pod on a port is refused, with port and holder', () => {
    const desired = wishes([pod('a', onPort(8080)), pod('b', onPort(8080))]);
    const result = admit(desired, { observed: running(find(desired, 'b')) });
    assert.deepEqual(verdicts(result), { a: 'Failed NodePorts', b: '-' });
    assert.equal(
      messageOf(result, 'a'),
      "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports: " +
        `spec.containers[0].ports[0].hostPort: host port 8080/TCP is taken by pod default/b-${NODE}`,
    );
  });

  const rows: [string, PodOptions, PodOptions, boolean][] = [
    ['another port', onPort(8080), onPort(8081), false],
    ['another protocol', onPort(53), onPort(53, '', 'UDP'), false],
    ['another address', onPort(53, '127.0.0.1'), onPort(53, '10.0.0.1'), false],
    ['the same address', onPort(53, '127.0.0.1'), onPort(53, '127.0.0.1'), true],
    [
      'an IPv6 address in two spellings',
      onPort(53, '2001:DB8::0:1'),
      onPort(53, '2001:db8::1'),
      true,
    ],
    ['all IPv6 addresses beside one', onPort(53, '0::0'), onPort(53, 'fe80::1'), true],
    ['two IPv6 addresses', onPort(53, '::1'), onPort(53, '::2'), false],
    ['IPv4 in IPv6 form', onPort(53, '::ffff:10.0.0.1'), onPort(53, '10.0.0.1'), true],
    ['any address beside one', onPort(53, '0.0.0.0'), onPort(53, '127.0.0.1'), true],
    ['one beside any', onPort(53, '127.0.0.1'), onPort(53), true],
    [
      'a container’s port with the node’s network',
      onPort(80),
      {
        spec: { hostNetwork: true },
        containers: [{ name: 'app', ports: [{ containerPort: 80 }] }],
      },
      true,
    ],
  ];
  for (const [what, first, second, clashes] of rows) {
    test(`${what}: ${clashes ? 'clashes' : 'does not clash'}`, t => {
      let pods;
      try {
        pods = [pod('a', first), pod('b', second)];
      } catch (error) {
        // Fields that other parts turn on may still be refused by validation.
        return t.skip((error as Error).message);
      }
      const expected = { a: '-', b: clashes ? 'Failed NodePorts' : '-' };
      assert.deepEqual(verdicts(admit(wishes(pods))), expected);
    });
  }

  test('row 64: the pod that is being replaced does not clash with its successor', () => {
    const old = wishes([pod('a', onPort(8080))]);
    const next = wishes([pod('a', { ...onPort(8080), annotations: { 'checksum/x': '1' } })]);
    const was = find(old, 'a');
    assert.notEqual(was.uid, find(next, 'a').uid);
    const result = admit(next, { observed: running(was), reports: [report(was, READY)] });
    assert.deepEqual(verdicts(result), { a: '-' });
  });

  test('T18: a pod of another name waits for the one whose port it takes over, then begins', () => {
    const was = find(wishes([pod('a', onPort(8080))]), 'a');
    const renamed = wishes([pod('b', onPort(8080))]);
    const context = { observed: running(was), reports: [report(was, READY)] };
    const result = admit(renamed, context);
    assert.deepEqual(verdicts(result), { b: 'Pending NodePorts' });
    assert.match(messageOf(result, 'b'), /taken by pod default\/a-edge1, which is ending$/);
    assert.deepEqual(verdicts(admit(renamed, { ...context, observed: NOTHING })), { b: '-' });
  });

  test('what an agent before this one left on the port is waited for, by what the engine tells of it', () => {
    const left = find(wishes([pod('a', onPort(8080))]), 'a');
    const port = { containerPort: 80, hostPort: 8080, hostIP: '0.0.0.0', protocol: 'TCP' } as const;
    const sandbox = (ready: boolean): ObservedPods => ({
      sandboxes: [sandboxOf(left, { ready, ports: [port] })],
      containers: [],
    });
    const desired = wishes([pod('b', onPort(8080))]);
    const result = admit(desired, { observed: sandbox(true) });
    assert.deepEqual(verdicts(result), { b: 'Pending NodePorts' });
    assert.match(messageOf(result, 'b'), /taken by pod default\/a-edge1, which is ending$/);
    assert.deepEqual(verdicts(admit(desired, { observed: sandbox(false) })), { b: '-' });
  });

  describe('row 64: pods that take over each other’s ports', () => {
    /** Each runs on its first port and is to run on its second. */
    const swapped = (
      ports: Record<string, [number, number]>,
      more: Record<string, PodOptions> = {},
    ) => {
      const names = Object.keys(ports);
      const of = (index: 0 | 1) =>
        wishes(
          names.map(name =>
            pod(name, { ...onPort(ports[name]?.[index] ?? 0), ...(index === 1 ? more[name] : {}) }),
          ),
        );
      const before = of(0);
      const were = names.map(name => find(before, name));
      return verdicts(
        admit(of(1), {
          observed: together(...were.map(running)),
          reports: were.map(was => report(was, READY)),
        }),
      );
    };

    test('may all begin when they wait in a ring: nobody else would end first', () => {
      assert.deepEqual(swapped({ a: [81, 82], b: [82, 81] }), { a: '-', b: '-' });
      const three = { a: [81, 82], b: [82, 83], c: [83, 81] } satisfies Record<
        string,
        [number, number]
      >;
      assert.deepEqual(swapped(three), { a: '-', b: '-', c: '-' });
    });

    test('wait one after the other where one of them can begin', () => {
      const chain = { a: [81, 82], b: [82, 83] } satisfies Record<string, [number, number]>;
      assert.deepEqual(swapped(chain), { a: 'Pending NodePorts', b: '-' });
    });

    test('all wait where one of the ring may not begin for another reason', () => {
      const refused = { b: { spec: { nodeSelector: { site: 'paris' } } } };
      assert.deepEqual(swapped({ a: [81, 82], b: [82, 81] }, refused), {
        a: 'Pending NodePorts',
        b: 'Failed NodeAffinity',
      });
    });

    test('are not kept from it by one that wants a place in it and gives none', () => {
      const ring = { b: [81, 82], c: [82, 81] } satisfies Record<string, [number, number]>;
      const before = wishes(Object.entries(ring).map(([name, [port]]) => pod(name, onPort(port))));
      const after = wishes([
        pod('a', onPort(82)),
        ...Object.entries(ring).map(([name, [, port]]) => pod(name, onPort(port))),
      ]);
      const were = ['b', 'c'].map(name => find(before, name));
      const context = {
        observed: together(...were.map(running)),
        reports: were.map(was => report(was, READY)),
      };
      const expected = { a: 'Pending NodePorts', b: '-', c: '-' };
      assert.deepEqual(verdicts(admit(after, context)), expected);
    });

    test('are two for one place: only the first of them begins', () => {
      const ring = { a: [81, 82], b: [82, 81], c: [83, 81] } satisfies Record<
        string,
        [number, number]
      >;
      assert.deepEqual(swapped(ring), { a: '-', b: '-', c: 'Pending NodePorts' });
    });
  });

  test('what runs is not judged again', () => {
    const desired = wishes([pod('a', onPort(8080)), pod('b', onPort(8080))]);
    const observed = together(running(find(desired, 'a')), running(find(desired, 'b')));
    assert.deepEqual(verdicts(admit(desired, { observed })), { a: '-', b: '-' });
  });
});
