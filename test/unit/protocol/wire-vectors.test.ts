/** The bytes under `test/vectors/wire/` mean today what they meant when they were written. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { DocumentKind } from '../../../protocol/envelope.js';
import type { Result } from '../../../protocol/refusal.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import { openHubDocument, openNodeDocument } from '../../../protocol/verify-messages.js';
import { openPinnedRoot } from '../../../protocol/verify-root.js';
import { openSecretDocument } from '../../../protocol/verify-secret.js';
import {
  assigned,
  bundleDocument,
  FLEET,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  rootDocument,
  trustedRoot,
} from '../../support/fleet.js';
import type { WireVector } from '../../support/make-wire-vectors.js';

const root = trustedRoot();

function open(kind: DocumentKind, bytes: Uint8Array): Result<unknown> {
  switch (kind) {
    case 'root':
      return openPinnedRoot(bytes, sha256Hex(canonicalJson(rootDocument())));
    case 'bundle':
      return openBundle(bytes, {
        root,
        assigned: assigned(bundleDocument()),
        arch: 'amd64',
        agentVersion: '0.1.0',
      });
    case 'assignment':
      return openAssignment(bytes, {
        root,
        node: NODE_NAME,
        nodeKey: idOf(NODE),
        accepted: null,
        nonce: null,
        freshOnly: false,
        now: NOW,
      });
    case 'secret':
      return openSecretDocument(bytes, root);
    case 'hub':
    case 'mark':
    case 'answer':
    case 'time':
    case 'ack':
    case 'command':
    case 'joined':
      return openHubDocument(kind, bytes, { root, node: NODE_NAME });
    case 'presence':
    case 'request':
    case 'status':
    case 'pod':
    case 'event':
    case 'reply':
    case 'opening':
    case 'join':
    case 'renew':
    case 'rotate':
      return openNodeDocument(kind, bytes, {
        fleet: FLEET,
        node: NODE_NAME,
        identityKey: NODE.publicKey,
      });
  }
}

const folder = join(import.meta.dirname, '../../../../test/vectors/wire');
for (const part of ['valid', 'invalid']) {
  for (const name of readdirSync(join(folder, part)).sort()) {
    const vector = JSON.parse(readFileSync(join(folder, part, name), 'utf8')) as WireVector;
    test(`${vector.what} (${part}/${name})`, () => {
      const result = open(vector.kind, Buffer.from(vector.envelope));
      const code = result.ok ? 'accepted' : result.refusal.code;
      assert.equal(code, vector.expect, result.ok ? '' : result.refusal.detail);
    });
  }
}
