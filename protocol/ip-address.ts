/**
 * What counts as an IP address in a manifest. Standard: RFC 791 and RFC 4291 text forms, as Kubernetes takes them.
 * Pure.
 */

/** Dotted decimal without leading zeros (they are octal elsewhere), or any IPv6 form without a zone. */
export function isIpAddress(text: string): boolean {
  const parts = text.split('.');
  if (parts.length === 4 && !text.includes(':')) {
    return parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  }
  return /^[0-9a-fA-F:.]+$/.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`);
}

/** True for what a process reaches in its own network namespace alone. */
export function isLoopback(text: string): boolean {
  return text.startsWith('127.') || text === '::1';
}
