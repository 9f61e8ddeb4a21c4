// What a client is told that needs a token, in `www-authenticate` (RFC 6750, section 3): nothing of what it sent, and no
// error where it sent no token.

const REALM = 'Bearer realm="countersign"'

export const NO_TOKEN = REALM
export const INVALID_TOKEN = `${REALM}, error="invalid_token"`
