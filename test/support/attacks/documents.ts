/** What the attacks send and read: a Pod that runs until it is told to end, and payloads of what went by. */
import { openEnvelope } from '../../../protocol/envelope.js';
import { TEST_IMAGE } from '../docker.js';

export function podText(
  name: string,
  change: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [
        {
          command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
          image: TEST_IMAGE,
          name: 'app',
        },
      ],
      terminationGracePeriodSeconds: 1,
      ...change,
    },
  };
}

/** Payload of an envelope, unverified: for what the attacker records. */
export function payloadOf<T>(kind: Parameters<typeof openEnvelope>[1]['kind'], bytes: Buffer): T {
  const opened = openEnvelope(bytes, { kind, bytesMax: 1 << 20 });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  return JSON.parse(opened.value.payload.toString('utf8')) as T;
}
