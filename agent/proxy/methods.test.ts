import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HeaderMatcher } from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { besidePorts, onPorts } from './exempt-ports.ts'
import { protectedMethods, SET_METHOD, unprotectedMethods } from './methods.ts'

/** As Envoy matches: the whole value; a header that is absent is empty. */
const matches = ({ headerMatchSpecifier: how, invertMatch }: HeaderMatcher, value: string | undefined): boolean => {
  assert.ok(how.case === 'stringMatch' && how.value.matchPattern.case === 'safeRegex')
  return new RegExp(`^(?:${how.value.matchPattern.value.regex})$`).test(value ?? '') !== invertMatch
}

describe('a rule that names methods', () => {
  const TABLE = [
    { methods: ['POST'], covers: ['POST', 'post', 'Post', 'FOO', 'patch', 'QUERY', 'GET+', 'PRI', '*', '', undefined] },
    { methods: ['POST'], not: ['GET', 'HEAD', 'PUT', 'VERSION-CONTROL'] },
    { methods: ['GET'], covers: ['GET', 'HEAD', 'head'], not: ['POST', 'OPTIONS'] },
    { methods: ['HEAD'], covers: ['HEAD'], not: ['GET'] },
    { methods: ['PURGE', 'DELETE'], covers: ['PURGE', 'purge', 'DELETE'], not: ['GET', 'POST'] }
  ]
  for (const { methods, covers = [], not = [] } of TABLE) {
    const [only, another] = [protectedMethods(methods)[0], unprotectedMethods(methods)[0]]
    assert.ok(only && another)
    for (const [values, expected] of [
      [covers, true],
      [not, false]
    ] as const)
      for (const value of values)
        it(`${methods.join(', ')}: ${expected ? 'covers' : 'does not cover'} ${value}`, () => {
          assert.equal(matches(only, value), expected)
          assert.equal(matches(another, value), !expected)
        })
  }

  it('needs no matcher where it names none', () => {
    assert.deepEqual([...protectedMethods([]), ...unprotectedMethods([])], [])
  })

  it('is told of every spelling of a header that asks for another method', () => {
    const text = JSON.stringify(SET_METHOD)
    assert.equal(text.match(/in request\.headers/g)?.length, 8 + 4 + 4)
    for (const name of ['x-http-method-override', 'x_http-method_override', 'x_http_method', 'x-method_override'])
      assert.ok(text.includes(`'${name}' in request.headers`), name)
  })
})

describe('a rule that exempts ports', () => {
  const [beside, on] = [besidePorts([8081, 90])[0], onPorts([8081, 90])[0]]
  assert.ok(beside && on)
  for (const [port, exempt] of [
    ['8081', true],
    ['90', true],
    ['808', false],
    ['80810', false],
    ['8081,90', false],
    ['-', false],
    ['', false],
    [undefined, false]
  ] as const)
    it(`${exempt ? 'does not cover' : 'covers'} a request whose port is ${port}`, () => {
      assert.equal(matches(beside, port), !exempt)
      assert.equal(matches(on, port), exempt)
    })

  it('needs no matcher where it exempts none', () => assert.deepEqual([...besidePorts([]), ...onPorts([])], []))
})
