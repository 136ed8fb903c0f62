/**
 * What a file is that somebody gave to `flotilla-agent import` by mistake, and what it is for: by its first bytes, as file(1) does.
 * Never says what is in it: it may be a key. Pure.
 */

/** So much of a file is enough. */
export const HEAD_BYTES = 4096;

const TAR_NAME_BYTES = 100;
const TAR_MAGIC_AT = 257;

/** A sentence for a person; null for what is not known. `head`: the first {@link HEAD_BYTES}, or all of it. */
export function kindOfFile(head: Buffer): string | null {
  if (head.byteLength === 0) return 'it is empty: copy it again';
  if (head[0] === 0x1f && head[1] === 0x8b) {
    return 'it is compressed with gzip: unpack it first, unless it is a backup of a hub (flotilla hub restore)';
  }
  if (head.toString('latin1', TAR_MAGIC_AT, TAR_MAGIC_AT + 5) === 'ustar') return kindOfTar(head);
  const text = head.toString('utf8').trimStart();
  const found = TEXTS.find(([shape]) => shape.test(text));
  return found?.[1] ?? null;
}

function kindOfTar(head: Buffer): string {
  const name = head.toString('utf8', 0, TAR_NAME_BYTES).replace(/\0.*$/s, '');
  if (/^(bundle|blob)\//.test(name)) {
    return 'it is a bundle file (flotilla bundle build, sign): it goes to the hub, with flotilla apply -f';
  }
  const isOfImages = /^(blobs\/|oci-layout|index\.json|manifest\.json|repositories|[0-9a-f]{64})/;
  if (isOfImages.test(name)) {
    return (
      'it is an archive of images: docker load -i reads it; images come with a bundle when the hub exports it ' +
      '(flotilla bundle export --with-images)'
    );
  }
  return 'it is a tar archive of something else';
}

const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^-----BEGIN AGE ENCRYPTED FILE-----|^age-encryption\.org\//, 'it is encrypted with age'],
  [
    /^-----BEGIN [A-Z ]*PRIVATE KEY-----/,
    'it is a private key: it belongs to nobody but its owner',
  ],
  [/^-----BEGIN CERTIFICATE-----/, 'it is a certificate'],
  [
    /^https:\/\/\S+ \S+ sha256:[0-9a-f]{64}\s*$/,
    'it is a join line: flotilla-agent join --token-file takes it',
  ],
  [
    /^\{[^]*"payloadType"\s*:\s*"application\/vnd\.flotilla\./,
    'it is one signed document: flotilla bundle export writes all that a node needs into one file',
  ],
  [/(^|[\n{,])\s*"?kind"?\s*:\s*"?Config"?\s*[\n,}]/, 'it is a kubeconfig'],
  [
    /(^|[\n{,])\s*"?apiVersion"?\s*:/,
    'it is a manifest: flotilla apply -f takes it at the hub; for this node alone put it into the static pod directory',
  ],
];
