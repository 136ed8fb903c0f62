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

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** One spelling for one address (RFC 5952), an IPv4 address in IPv6 form as IPv4; what is no address as it is. */
export function canonicalIp(text: string): string {
  if (!text.includes(':') || !isIpAddress(text)) return text;
  const address = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const bytes = [high, low].map(part => parseInt(part, 16)).flatMap(n => [n >> 8, n & 255]);
  return bytes.join('.');
}

/** True for what a process reaches in its own network namespace alone. */
export function isLoopback(text: string): boolean {
  const address = canonicalIp(text);
  return address.startsWith('127.') || address === '::1';
}
