/**
 * What every container runtime promises, as sentences. Run against the simulated engine and a real Docker Engine: what the
 * simulation proves of the agent's loop holds only as far as both pass this.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  RuntimeError,
  type ContainerSpec,
  type ObservedContainer,
  type RuntimeEvent,
} from '../../agent/runtime/runtime.js';
import { eventually } from '../support/wait.js';
import {
  containerSpec,
  podIdentity,
  refusesWith,
  sandboxSpec,
  SCRIPT,
  text,
  type Runtime,
  type RuntimeSubject,
} from './runtime-case.js';

export function runtimeContract(
  name: string,
  open: () => RuntimeSubject | Promise<RuntimeSubject>,
  skip: string | false = false,
): void {
  describe(`the container runtime contract: ${name}`, { skip }, () => {
    let subject: RuntimeSubject;
    let runtime: Runtime;
    before(async () => {
      subject = await open();
      runtime = subject.runtime;
    });
    after(() => subject?.close());

    const containerNow = async (id: string): Promise<ObservedContainer> => {
      const found = (await runtime.observe()).containers.find(c => c.id === id);
      assert.ok(found, `container ${id} is not observed`);
      return found;
    };
    const started = async (script: string, change: Partial<ContainerSpec> = {}) => {
      const pod = podIdentity();
      const sandbox = await runtime.runSandbox(sandboxSpec(pod));
      const id = await runtime.createContainer(
        sandbox,
        pod,
        containerSpec(subject.image, script, change),
      );
      await runtime.startContainer(id);
      return { pod, sandbox, id };
    };
    const ended = (id: string) =>
      eventually('the container has ended', async () => {
        const seen = await containerNow(id);
        return seen.state === 'exited' ? seen : null;
      });

    /** What `SCRIPT.obeys` says once it hears a signal. */
    const isHearing = (id: string) =>
      eventually('it is ready', async () =>
        (await text(runtime.logs(id, {}, new AbortController().signal))).includes('ready'),
      );

    test('info names the engine, its version and the machine', async () => {
      const info = await runtime.info();
      assert.ok(
        info.name && info.version && info.architecture && info.cpus > 0 && info.memoryBytes > 0,
      );
    });

    test('a sandbox that was run is observed as ready, with all that it was made from', async () => {
      const pod = podIdentity();
      const id = await runtime.runSandbox(sandboxSpec(pod, { attempt: 3, hash: 'abc' }));
      const seen = (await runtime.observe()).sandboxes.find(s => s.id === id);
      assert.ok(seen);
      assert.deepEqual(
        {
          pod: seen.pod,
          attempt: seen.attempt,
          ready: seen.ready,
          hash: seen.hash,
          grace: seen.terminationGracePeriodSeconds,
        },
        { pod, attempt: 3, ready: true, hash: 'abc', grace: 7 },
      );
      assert.match(seen.ip, /^\d+\.\d+\.\d+\.\d+$/);
    });

    test('running the same sandbox again gives the same sandbox', async () => {
      const spec = sandboxSpec(podIdentity());
      assert.equal(await runtime.runSandbox(spec), await runtime.runSandbox(spec));
    });

    test('the first sandboxes of a client come up all at once, whatever the engine has yet to refuse', async () => {
      const client = subject.again();
      const specs = Array.from({ length: 4 }, () => sandboxSpec(podIdentity()));
      const ids = await Promise.all(specs.map(spec => client.runSandbox(spec)));
      const { sandboxes } = await client.observe();
      for (const id of ids) assert.equal(sandboxes.find(one => one.id === id)?.ready, true);
      for (const id of ids) await client.removeSandbox(id);
    });

    test('stopping and removing a sandbox twice is done the first time', async () => {
      const { sandbox, id } = await started(SCRIPT.runs);
      await runtime.stopContainer(id, 5);
      for (let i = 0; i < 2; i++) await runtime.stopSandbox(sandbox, 1);
      assert.equal((await runtime.observe()).sandboxes.find(s => s.id === sandbox)?.ready, false);
      for (let i = 0; i < 2; i++) await runtime.removeSandbox(sandbox);
      const { sandboxes, containers } = await runtime.observe();
      assert.ok(!sandboxes.some(s => s.id === sandbox), 'the sandbox is gone');
      assert.ok(!containers.some(c => c.sandboxId === sandbox), 'its containers are gone with it');
    });

    test('a container goes from created to running to exited, with its exit code', async () => {
      const pod = podIdentity();
      const sandbox = await runtime.runSandbox(sandboxSpec(pod));
      const spec = containerSpec(subject.image, SCRIPT.exits3, {
        attempt: 2,
        hash: 'hash-of-main',
      });
      const id = await runtime.createContainer(sandbox, pod, spec);
      const created = await containerNow(id);
      assert.deepEqual(
        [
          created.state,
          created.attempt,
          created.hash,
          created.sandboxId,
          created.pod,
          created.startedAt,
          created.exitCode,
        ],
        ['created', 2, 'hash-of-main', sandbox, pod, null, null],
      );
      await runtime.startContainer(id);
      const seen = await ended(id);
      assert.deepEqual([seen.exitCode, seen.reason], [3, 'Error']);
      assert.ok(seen.startedAt && seen.finishedAt && seen.finishedAt >= seen.startedAt);
      assert.match(seen.imageId, /^(docker|podman)(-pullable)?:\/\/\S/);
    });

    test('a container that ends with 0 is Completed', async () => {
      const { id } = await started(SCRIPT.exits0);
      assert.equal((await ended(id)).reason, 'Completed');
    });

    test('creating the same container again gives the same container', async () => {
      const { pod, sandbox, id } = await started(SCRIPT.runs);
      const again = await runtime.createContainer(
        sandbox,
        pod,
        containerSpec(subject.image, SCRIPT.runs),
      );
      assert.equal(again, id);
      await runtime.startContainer(id);
      assert.equal((await containerNow(id)).state, 'running');
    });

    test('a dead container of ours that holds the name gives way', async () => {
      const { pod, sandbox, id } = await started(SCRIPT.exits3);
      await ended(id);
      const next = await runtime.createContainer(
        sandbox,
        pod,
        containerSpec(subject.image, SCRIPT.runs),
      );
      assert.notEqual(next, id);
      assert.ok(!(await runtime.observe()).containers.some(c => c.id === id));
    });

    test('a program that obeys SIGTERM is stopped well before the grace is over', async () => {
      const { id } = await started(SCRIPT.obeys);
      await isHearing(id);
      await runtime.stopContainer(id, 600);
      assert.equal((await containerNow(id)).exitCode, 143);
    });

    test('a program that ignores SIGTERM is killed after the grace', async () => {
      const { id } = await started(SCRIPT.ignoresTerm);
      await runtime.stopContainer(id, 1);
      assert.equal((await containerNow(id)).exitCode, 137);
    });

    test('stopping what has ended and removing what is gone is no error', async () => {
      const { id } = await started(SCRIPT.exits0);
      await ended(id);
      await runtime.stopContainer(id, 1);
      for (let i = 0; i < 2; i++) await runtime.removeContainer(id);
      await runtime.stopContainer(id, 1);
    });

    test('a program that cannot be started is RunContainerError and seen as ContainerCannotRun', async () => {
      const pod = podIdentity();
      const sandbox = await runtime.runSandbox(sandboxSpec(pod));
      const spec = containerSpec(subject.image, '', { command: ['/no/such/program'] });
      const id = await runtime.createContainer(sandbox, pod, spec);
      await assert.rejects(runtime.startContainer(id), refusesWith('RunContainerError'));
      const seen = await containerNow(id);
      assert.deepEqual(
        [seen.state, seen.reason, seen.exitCode],
        ['exited', 'ContainerCannotRun', 127],
      );
      assert.ok(seen.message !== '' && seen.finishedAt);
    });

    test('an image that is not there is null, and no container is made from it', async () => {
      assert.equal(await runtime.imageStatus('flotilla.dev/absent:1'), null);
      assert.ok((await runtime.imageStatus(subject.image))?.id);
      const pod = podIdentity();
      const sandbox = await runtime.runSandbox(sandboxSpec(pod));
      const spec = containerSpec('flotilla.dev/absent:1', SCRIPT.runs);
      await assert.rejects(
        runtime.createContainer(sandbox, pod, spec),
        refusesWith('ErrImageNeverPull'),
      );
    });

    test('a pull that finds nothing is ErrImagePull', async () => {
      await assert.rejects(runtime.pullImage('127.0.0.1:9/absent:1'), refusesWith('ErrImagePull'));
    });

    test('a host port that is taken is HostPortTaken, names the port and leaves nothing behind', async () => {
      const port = await subject.freePort();
      const ports = [{ containerPort: 80, hostPort: port, hostIP: '', protocol: 'TCP' as const }];
      const first = await runtime.runSandbox(sandboxSpec(podIdentity(), { ports }));
      const seen = (await runtime.observe()).sandboxes.find(({ id }) => id === first);
      const places = seen?.ports.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`);
      assert.deepEqual(places, [`${port}/TCP`]);
      const second = podIdentity();
      await assert.rejects(
        runtime.runSandbox(sandboxSpec(second, { ports })),
        error => refusesWith('HostPortTaken')(error) && String(error).includes(String(port)),
      );
      assert.ok(!(await runtime.observe()).sandboxes.some(s => s.pod.uid === second.uid));
    });

    test('a client made anew sees the same', async () => {
      const { id } = await started(SCRIPT.runs);
      const before = await containerNow(id);
      const after = (await subject.again().observe()).containers.find(c => c.id === id);
      assert.deepEqual(after, before);
    });

    test("another owner's containers are neither seen nor touched", async () => {
      const { id, sandbox } = await started(SCRIPT.runs);
      const other = subject.stranger();
      assert.ok(!(await other.observe()).containers.some(c => c.id === id));
      for (const act of [
        () => other.stopContainer(id, 0),
        () => other.removeContainer(id),
        () => other.stopSandbox(sandbox, 0),
        () => other.removeSandbox(sandbox),
      ]) {
        await assert.rejects(act(), RuntimeError);
      }
      assert.equal((await containerNow(id)).state, 'running');
    });

    test('a sandbox that was killed is seen as not ready', async () => {
      const pod = podIdentity();
      const id = await runtime.runSandbox(sandboxSpec(pod));
      subject.killSandbox(id);
      await eventually('the sandbox is not ready', async () => {
        const seen = (await runtime.observe()).sandboxes.find(s => s.id === id);
        return seen?.ready === false;
      });
      const next = await runtime.runSandbox(sandboxSpec(pod, { attempt: 1 }));
      assert.notEqual(next, id);
    });

    test('a death is told as an event, with the uid of the pod', async () => {
      const stop = new AbortController();
      const seen: RuntimeEvent[] = [];
      const listening = (async () => {
        for await (const event of runtime.events(stop.signal)) seen.push(event);
      })();
      await eventually('the event stream tells of a death', async () => {
        const { pod, id } = await started(SCRIPT.exits3);
        await ended(id);
        return eventually(
          'the event',
          () => seen.some(e => e.action === 'die' && e.podUid === pod.uid && e.containerId === id),
          {
            withinMs: 3000,
          },
        );
      });
      stop.abort();
      await listening;
    });

    test('what is observed stays true while events are watched', async () => {
      const stop = new AbortController();
      const listening = (async () => {
        for await (const _event of runtime.events(stop.signal));
      })();
      const { id } = await started(SCRIPT.obeys);
      for (let i = 0; i < 3; i++) assert.equal((await containerNow(id)).state, 'running');
      await isHearing(id);
      await runtime.stopContainer(id, 5);
      const seen = await containerNow(id);
      assert.deepEqual([seen.state, seen.exitCode], ['exited', 143]);
      stop.abort();
      await listening;
    });

    test('logs give both streams; tail and limit cut them', async () => {
      const { id } = await started(SCRIPT.speaks);
      const { signal } = new AbortController();
      await eventually('all three lines', async () =>
        (await text(runtime.logs(id, {}, signal))).includes('three'),
      );
      const all = await text(runtime.logs(id, {}, signal));
      assert.deepEqual(all.split('\n').sort(), ['', 'one', 'three', 'two']);
      assert.equal(await text(runtime.logs(id, { tailLines: 1 }, signal)), 'three\n');
      assert.equal((await text(runtime.logs(id, { limitBytes: 5 }, signal))).length, 5);
    });

    test('logs of a container that is gone are NotFound', async () => {
      const { signal } = new AbortController();
      await assert.rejects(text(runtime.logs('f'.repeat(64), {}, signal)), refusesWith('NotFound'));
    });

    test('names are those of a kubelet', async () => {
      const { pod } = await started(SCRIPT.runs, { attempt: 4 });
      const names = subject.names();
      if (names.length === 0) return;
      const tail = `${pod.name}_${pod.namespace}_${pod.uid}`;
      assert.ok(
        names.includes(`k8s_POD_${tail}_0`) && names.includes(`k8s_main_${tail}_4`),
        names.join(' '),
      );
    });

    test('an engine that does not answer is EngineUnavailable for every call', async () => {
      const down = subject.down();
      const pod = podIdentity();
      const calls: (() => Promise<unknown>)[] = [
        () => down.info(),
        () => down.observe(),
        () => down.runSandbox(sandboxSpec(pod)),
        () => down.imageStatus(subject.image),
        () => down.createContainer('a', pod, containerSpec(subject.image, SCRIPT.runs)),
        () => down.stopContainer('a', 1),
        () => down.events(new AbortController().signal)[Symbol.asyncIterator]().next(),
      ];
      for (const call of calls) await assert.rejects(call(), refusesWith('EngineUnavailable'));
    });
  });
}
