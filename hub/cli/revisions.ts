/** The revisions of a bundle, as the hub tells them. */
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RevisionHistory } from '../rollout/history.js';
import type { SignatureVerdict } from '../signing/signature-count.js';
import type { ApiObject } from './client.js';
import type { Connected } from './context.js';
import { pathOf, resourceOf } from './resources.js';

export type RevisionApiObject = ApiObject & {
  spec: {
    readonly revision: number;
    readonly digest: string;
    readonly size: number;
    readonly createdBy: string;
  };
  status: Omit<RevisionHistory, 'changeCause'> & {
    readonly isNewest: boolean;
    readonly signatures: readonly SignatureVerdict[];
    readonly withdrawn: { readonly reason: string; readonly message: string } | null;
  };
};

/** With what it is: only one is told so. */
export type WholeRevision = Omit<RevisionApiObject, 'spec'> & {
  spec: RevisionApiObject['spec'] &
    Pick<BundleDocument, 'images' | 'strategy' | 'requires' | 'rollbackFloor' | 'secrets'> & {
      readonly manifests: readonly BundleManifest[];
    };
};

export interface RevisionList {
  readonly kind: string;
  readonly items: readonly RevisionApiObject[];
}

function pathOfRevisions({ namespace }: Connected, name: string): string {
  return `${pathOf(resourceOf('bundles'), namespace, name)}/revisions`;
}

/** Ascending. Throws `ApiError` NotFound. */
export function revisionsOf(hub: Connected, name: string): Promise<RevisionList> {
  return hub.client.call<RevisionList>({ path: pathOfRevisions(hub, name) });
}

/** Throws `ApiError` NotFound. */
export function revisionOf(hub: Connected, name: string, revision: number): Promise<WholeRevision> {
  return hub.client.call<WholeRevision>({ path: `${pathOfRevisions(hub, name)}/${revision}` });
}
