/**
 * Which names in the static pod directory are manifests, which are skipped and told of, and which are passed over without a word.
 * Kubelet behaviour rows 4 and 5. Pure.
 */

/** As on a kubelet (row 4), and in `ls`: `.keep` or an editor's own file is nobody else's business. */
export function isHidden(name: string): boolean {
  return name.startsWith('.');
}

const SKIPPED_ENDINGS =
  /(~|\.(bak|orig|old|save|swp|swo|swx|tmp|rej|part|rpmsave|rpmnew|rpmorig|dpkg-[a-z]+|ucf-[a-z]+))$/i;

/** What Node reads in place of bytes that are no text: the file cannot be opened by it. */
const NOT_UTF8 = '\ufffd';

const MANIFEST_ENDINGS = /\.(ya?ml|json)$/i;

/** Why a name that is not hidden is no manifest's; null when it is one (row 5; users' pain P1). */
export function skipReason(name: string): string | null {
  if (name.includes(NOT_UTF8)) return 'its name is not UTF-8';
  if (/\p{Cc}/u.test(name)) return 'its name has control characters';
  if (SKIPPED_ENDINGS.test(name)) return 'its name is that of a backup or a temporary file';
  if (/^#.*#$/.test(name)) return 'its name is that of an editor’s backup';
  if (!MANIFEST_ENDINGS.test(name)) return 'its name does not end in .yaml, .yml or .json';
  return null;
}
