/** Limits that the embedded broker keeps and others are told. */

/**
 * Topic and packet id beside the payload, and the rest of a CONNECT that brings a will of full
 * size.
 */
export const PACKET_OVERHEAD_BYTES = 1024;
