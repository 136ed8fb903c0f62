/** What `flotilla apply` says of pods that nodes refuse by default. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podSecurityWarnings } from '../../../hub/cli/bundle-warnings.js';
import { manifest } from '../../support/pods.js';

const onPort = (hostPort: number) =>
  manifest('web', { containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort }] }] });

test('a pod that nodes run by default is not mentioned', () => {
  assert.deepEqual(podSecurityWarnings([manifest('plain'), onPort(1024)]), []);
});

test('another is, with rule and field', () => {
  assert.deepEqual(podSecurityWarnings([manifest('plain'), onPort(80)]), [
    'Warning: pod "web" violates PodSecurity "baseline:latest": hostPort (container "app" uses ' +
      'hostPort 80) [rule hostPorts, field spec.containers[0].ports[0].hostPort]; ' +
      'nodes refuse that by default',
  ]);
});
