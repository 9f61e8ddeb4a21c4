/**
 * Addresses that software trusts as local. Frameworks have names for the first three kinds (`trustProxy` of Fastify and
 * Express, `RemoteIpValve` of Tomcat, `forwarded` middleware elsewhere); the others are what servers such as Postfix,
 * RabbitMQ and PostgreSQL are configured with, or what libraries count as not global.
 */
export const TRUSTED_RANGES = [
  // Loopback.
  '127.0.0.0/8',
  '::1/128',
  // Link-local.
  '169.254.0.0/16',
  'fe80::/10',
  // Private, unique local.
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
  // This network, and IPv4-compatible addresses, as which some libraries read an IPv4 address.
  '0.0.0.0/8',
  '::/96',
  // Shared between a provider and its customers.
  '100.64.0.0/10',
  // Site-local, deprecated.
  'fec0::/10'
] as const
