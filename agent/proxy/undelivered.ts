/**
 * What a proxy adds to its own answer when the application did not accept a connection: the request reached nobody,
 * so the proxy of the client may send it to another endpoint, whatever its method. And when the application closed the
 * connection instead of answering, to a request of a safe method: that may be sent again even if it was heard.
 * Kubernetes tells an application to end and the callers to stop calling it at the same time; what arrives in between
 * arrives here.
 *
 * Only a proxy says it: from what applications answer it is removed, in both directions.
 */
export const UNDELIVERED_HEADER = 'countersign-undelivered'

/** What may be sent again even if it was heard, and has no effect twice (RFC 9110, sections 9.2.1 and 9.2.2). */
export const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS']
