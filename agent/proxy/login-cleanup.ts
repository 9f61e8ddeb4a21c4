import { create } from '@bufbuild/protobuf'
import type { Login } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { HeaderValueOption_HeaderAppendAction as HeaderAppendAction } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import { type Lua, LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import { COOKIE_PREFIX, cookieName, FORMER_COOKIE_PREFIX, SESSION_HEADER } from './login.ts'

const COOKIES_AS_SENT = 'x-countersign-cookies'

/** By which the filters tell each other something. They are for no application, and no client may send them. */
export const INTERNAL_HEADERS: readonly string[] = [
  SESSION_HEADER,
  COOKIES_AS_SENT,
  'x-envoy-oauth-status',
  'x-envoy-oauth-failure-reason'
]

/** Remembers the cookies as the client sent them: the filter of the login writes them anew, in another spelling. */
export const REMEMBERED_COOKIES = {
  action: {
    case: 'append',
    value: {
      header: { key: COOKIES_AS_SENT, value: '%REQ(cookie)%' },
      appendAction: HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    }
  }
} as const

/**
 * Ends a session whose ID token is refused: of a key that its issuer has withdrawn, say. Otherwise its browser would be
 * refused until the session ends, and not be sent for another.
 */
export const endOfRefused = (login: Login) =>
  ({
    action: {
      case: 'append',
      value: {
        header: {
          key: 'set-cookie',
          value: `%CEL(${REFUSED} ? '${cookieName(login, 'hmac')}=; path=/; Max-Age=0; secure; HttpOnly; SameSite=Lax' : '')%`
        },
        appendAction: HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD
      }
    }
  }) as const

const REFUSED = `'${SESSION_HEADER}' in request.headers && response.code == 401 && response.code_details.startsWith('jwt_authn_access_denied{')`

// Cookies are written as in RFC 6265, section 4.2.1. A client that sends several lines of them breaks section 5.4, and of
// its second and further ones the present spelling has to do: the first alone was remembered.
const SCRIPT = `
local PREFIX, FORMER = "${COOKIE_PREFIX}", "${FORMER_COOKIE_PREFIX}"

local function is_of_login(text)
  return text:sub(1, #PREFIX) == PREFIX or text:sub(1, #FORMER) == FORMER
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kept, known = {}, {}
  local function keep(line)
    local names = {}
    for pair in line:gmatch("[^;]+") do
      local text = pair:match("^%s*(.-)%s*$")
      local name = text:match("^[^=]*")
      if not is_of_login(text) and not known[name] then kept[#kept + 1] = text end
      names[name] = true
    end
    for name in pairs(names) do known[name] = true end
  end
  keep(headers:get("${COOKIES_AS_SENT}") or "")
  for index = 0, headers:getNumValues("cookie") - 1 do keep(headers:getAtIndex("cookie", index)) end
  headers:remove("${COOKIES_AS_SENT}")
  headers:remove("cookie")
  if #kept > 0 then headers:add("cookie", table.concat(kept, "; ")) end
end
`

/** Takes the cookies of every login, and with them the tokens, from a request; all others stay as they were sent. */
export const WITHOUT_LOGIN_COOKIES: Lua = create(LuaSchema, {
  clearRouteCache: false,
  defaultSourceCode: { specifier: { case: 'inlineString', value: SCRIPT } }
})
