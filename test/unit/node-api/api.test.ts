/** The node's own API: what it answers on the Unix socket and on a loopback address, and to whom it does not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { EventList } from 'kubernetes-types/core/v1.js';
import { exposition, metricsOf, type Figures } from '../../../agent/api/metrics.js';
import type { ApiSources } from '../../../agent/api/routes.js';
import { serveLoopback, serveSocket, type ApiServer } from '../../../agent/api/server.js';
import type { PodReport } from '../../../agent/ports.js';
import { freePort } from '../../support/ports.js';

const report: PodReport = {
  key: 'default/web-n1',
  source: 'file',
  bundle: null,
  manifestDigest: null,
  pod: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-n1', namespace: 'default' },
    spec: { initContainers: [{ name: 'init' }], containers: [{ name: 'app' }] },
    status: {
      phase: 'Running',
      initContainerStatuses: [
        {
          name: 'init',
          image: '',
          imageID: '',
          ready: true,
          restartCount: 0,
          state: { terminated: { exitCode: 0, containerID: 'docker://aaa' } },
          containerID: 'docker://aaa',
        },
      ],
      containerStatuses: [
        {
          name: 'app',
          image: '',
          imageID: '',
          ready: true,
          restartCount: 3,
          state: { running: {} },
          lastState: { terminated: { exitCode: 1, containerID: 'docker://old' } },
          containerID: 'docker://bbb',
        },
      ],
    },
  },
};

/** Two of one name, as while an edit that makes another pod may not begin: the one that runs stands last. */
const rejected: PodReport = {
  ...report,
  key: 'default/edited-n1',
  pod: { ...report.pod, status: { phase: 'Failed', reason: 'NodePorts' } },
};
const former: PodReport = { ...report, key: 'default/edited-n1' };

const figures: Figures = {
  nodeName: 'n1',
  version: '1',
  reports: [report],
  stats: new Map([['bbb', { cpuNanoseconds: 2_500_000_000, workingSetBytes: 4096 }]]),
  engineUp: true,
  hubConnected: null,
  unconfirmedEvents: 2,
  used: {
    in: [1, 2, 30],
    out: [1, 2, 20],
    status: [1, 2, 15],
    images: [0, 0, 9],
    written: [4, 5, 6],
  },
  refusals: [{ labels: { code: 'Malformed' }, count: 3 }],
  probes: [{ labels: { probe_type: 'Liveness', result: 'failed' }, count: 4 }],
  counted: {
    rejections: new Map([['NodeAffinity', 2]]),
    restartedPods: 3,
    orphanedPods: 4,
    startedContainers: 5,
    startedInitContainers: 6,
    sandboxErrors: 7,
    evictions: 8,
  },
  residentBytes: 1,
  cpuSeconds: 1,
};

describe('the node’s API', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fl-api-'));
  const path = join(dir, 'agent.sock');
  const retried: (string | null)[] = [];
  let isHealthy = true;
  const sources: ApiSources = {
    nodeName: 'n1',
    import: file => Promise.resolve({ file }),
    receipt: () => ({ messages: [] }),
    leave: async () => ({ node: 'edge1' }),
    site: (word, wish) => ({
      bundles: [{ namespace: 'default', name: JSON.stringify(wish), revision: 1 }],
    }),
    pods: () => [report, rejected, former],
    healthy: () => isHealthy,
    status: () => ({ node: 'n1' }),
    plan: () => 'nothing to do',
    configz: () => ({ dataDir: dir }),
    figures: () => Promise.resolve(figures),
    events: () => [
      {
        n: 7,
        at: '2026-01-02T03:04:05.000Z',
        type: 'Normal',
        reason: 'Started',
        message: 'Started container app',
        involved: { kind: 'Pod', namespace: 'default', name: 'web-n1', uid: 'u', fieldPath: '' },
      },
    ],
    rotate: async () => ({}),
    retry: pod => {
      retried.push(pod);
      return pod === null || pod === 'default/web';
    },
    async *logs(id, options) {
      yield await Promise.resolve(Buffer.from(`${id} ${JSON.stringify(options)}\n`));
    },
  };
  let servers: ApiServer[] = [];
  let port = 0;

  before(async () => {
    port = await freePort();
    servers = [
      await serveSocket(path, sources),
      await serveLoopback({ host: '127.0.0.1', port }, sources),
    ];
  });
  after(async () => {
    for (const server of servers) await server.close();
    rmSync(dir, { recursive: true });
  });

  interface Ask {
    readonly path: string;
    readonly method?: string;
    readonly over?: 'socket' | 'loopback';
    readonly headers?: Record<string, string>;
  }

  function ask({ path: url, method = 'GET', over = 'socket', headers = {} }: Ask) {
    const where = over === 'socket' ? { socketPath: path } : { host: '127.0.0.1', port };
    return new Promise<{ code: number; body: string }>((done, fail) => {
      const asked = request({ ...where, path: url, method, headers }, response => {
        let body = '';
        response.on('data', chunk => (body += String(chunk)));
        response.on('end', () => done({ code: response.statusCode ?? 0, body }));
      });
      asked.on('error', fail);
      asked.end();
    });
  }

  test('rows 218, 219: healthz says ok, and 500 when the loop has stopped', async () => {
    assert.deepEqual(await ask({ path: '/healthz', over: 'loopback' }), { code: 200, body: 'ok' });
    isHealthy = false;
    assert.equal((await ask({ path: '/healthz' })).code, 500);
    isHealthy = true;
  });

  test('a path that no URL has is the asker’s mistake', async () => {
    assert.equal((await ask({ path: '//' })).code, 400);
    assert.equal((await ask({ path: '//:x' })).code, 400);
  });

  test('only the owner may open the socket', () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  test('row 221: /pods is a PodList', async () => {
    const list = JSON.parse((await ask({ path: '/pods' })).body) as { kind: string; items: [] };
    assert.equal(list.kind, 'PodList');
    assert.equal(list.items.length, 3);
  });

  test('P15: /events is a v1 EventList that says who told what of whom', async () => {
    const { kind, items } = JSON.parse((await ask({ path: '/events' })).body) as EventList;
    assert.equal(kind, 'EventList');
    const [event] = items;
    assert.equal(event?.metadata.name, 'web-n1.7');
    assert.deepEqual(event.source, { component: 'flotilla-agent', host: 'n1' });
    assert.equal(event.involvedObject.name, 'web-n1');
    assert.deepEqual([event.reason, event.count], ['Started', 1]);
  });

  const logs: [string, string, RegExp][] = [
    ['the running container', '/containerLogs/default/web-n1/app', /^bbb /],
    ['without the node’s suffix', '/containerLogs/default/web/app', /^bbb /],
    [
      'the only app container among init containers has to be named',
      '/containerLogs/default/web',
      /^a container name must be specified for pod web, choose one of: \[init app\]/,
    ],
    ['an init container', '/containerLogs/default/web/init', /^aaa /],
    ['what runs on beside a rejected edit', '/containerLogs/default/edited/app', /^bbb /],
    ['the run before', '/containerLogs/default/web/app?previous=true', /^old /],
    [
      'tail and follow',
      '/containerLogs/default/web/app?tailLines=5&follow=true',
      /"follow":true.*"tailLines":5/,
    ],
    [
      'a number that is none',
      '/containerLogs/default/web/app?tailLines=x',
      /^Unable to decode query: tailLines is not a number/,
    ],
    ['a path that is too long', '/containerLogs/default/web/app/x', /^say \/containerLogs/],
    ['a path that cannot be read', '/containerLogs/default/%ff/app', /not a path/],
  ];
  for (const [sentence, url, wanted] of logs) {
    test(`row 220, containerLogs: ${sentence}`, async () => {
      assert.match((await ask({ path: url })).body, wanted);
    });
  }

  test('retry is for who may open the socket, and only by POST', async () => {
    assert.equal((await ask({ path: '/retry', method: 'POST' })).code, 200);
    const wish = await ask({ path: '/activate?bundle=web&by=root', method: 'POST' });
    const [told] = (JSON.parse(wish.body) as { bundles: { name: string }[] }).bundles;
    const said = { bundle: 'web', by: 'root', reason: '', isTrial: false, from: null };
    assert.deepEqual(JSON.parse(told?.name ?? ''), said);
    assert.equal((await ask({ path: '/activate' })).code, 405);
    const one = '/retry?pod=default%2Fweb';
    assert.equal((await ask({ path: one, method: 'POST' })).code, 200);
    assert.deepEqual(retried, [null, 'default/web']);
    assert.equal((await ask({ path: '/retry' })).code, 405);
    assert.equal((await ask({ path: '/retry', method: 'POST', over: 'loopback' })).code, 403);
    assert.equal((await ask({ path: '/leave', method: 'POST', over: 'loopback' })).code, 403);
    assert.equal((await ask({ path: '/leave' })).code, 405);
    assert.equal((await ask({ path: '/retry?pod=x', method: 'POST' })).code, 404);
  });

  test('a page in a browser reaches nothing on the loopback', async () => {
    const rebound = { path: '/pods', over: 'loopback', headers: { host: 'evil.example' } } as const;
    assert.equal((await ask(rebound)).code, 403);
    const page = { ...rebound, headers: { origin: 'http://evil.example' } };
    assert.equal((await ask(page)).code, 403);
  });

  test('what is not there is 404, what is only read 405', async () => {
    assert.equal((await ask({ path: '/nothing' })).code, 404);
    assert.equal((await ask({ path: '/pods', method: 'DELETE' })).code, 405);
  });

  test('row 222: /metrics in Prometheus’ text', async () => {
    const { body } = await ask({ path: '/metrics', over: 'loopback' });
    for (const line of [
      'kubelet_desired_pods{static="true"} 1',
      'kubelet_active_pods{static="true"} 1',
      'kubelet_working_pods{lifecycle="sync",config="desired",static="true"} 1',
      'kubelet_working_pods{lifecycle="terminating",config="orphan",static="true"} 0',
      'kubelet_restarted_pods_total{static="true"} 3',
      'kubelet_orphaned_runtime_pods_total 4',
      'kubelet_started_containers_total{container_type="container"} 5',
      'kubelet_started_containers_total{container_type="init_container"} 6',
      'kubelet_started_pods_errors_total 7',
      'kubelet_evictions{eviction_signal="emptydirfs.limit"} 8',
      '# TYPE kubelet_evictions counter',
      '# TYPE kubelet_restarted_pods_total counter',
    ]) {
      assert.ok(body.split('\n').includes(line), line);
    }
    assert.match(body, /^prober_probe_total\{probe_type="Liveness",result="failed"\} 4$/m);
    assert.match(body, /^# TYPE prober_probe_total counter$/m);
    assert.match(body, /^# TYPE kubelet_desired_pods gauge$/m);
    assert.match(body, /^kubelet_admission_rejections_total\{reason="NodeAffinity"\} 2$/m);
    assert.match(body, /^flotilla_link_bytes_total\{direction="in"\} 30$/m);
    assert.match(body, /^flotilla_link_kind_bytes_total\{kind="status"\} 15$/m);
    assert.match(body, /^flotilla_link_kind_bytes_total\{kind="overhead"\} 35$/m);
    assert.match(body, /^flotilla_image_pull_bytes_total 9$/m);
    assert.match(body, /^flotilla_written_bytes_total 6$/m);
    const labels = 'namespace="default",pod="web-n1",container="app"';
    assert.ok(body.includes(`kube_pod_container_status_restarts_total{${labels}} 3`));
    assert.ok(body.includes(`container_cpu_usage_seconds_total{${labels}} 2.5`));
  });
});

test('a node without pods has figures too', async () => {
  const empty: Figures = { ...figures, reports: [], stats: new Map(), probes: [] };
  const { body } = await exposition(empty);
  assert.match(body, /^kubelet_desired_pods\{static="true"\} 0$/m);
  assert.ok(metricsOf(empty).every(({ help }) => help !== ''));
});
