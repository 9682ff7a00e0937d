const token = async (z, url, parameters) => {
  const response = await z.request({
    url,
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: {
      client_id: process.env.CLIENT_ID,
      client_secret: process.env.CLIENT_SECRET,
      ...parameters,
    },
  });
  return { access_token: response.data.access_token, refresh_token: response.data.refresh_token };
};

// Without the redirect URI, which the authorization request had.
const getAccessToken = (z, bundle) =>
  token(z, process.env.TOKEN_URL, { grant_type: "authorization_code", code: bundle.inputData.code });

const refreshAccessToken = (z, bundle) =>
  token(z, process.env.REFRESH_URL, { grant_type: "refresh_token", refresh_token: bundle.authData.refresh_token });

const test = (z) => z.request({ url: process.env.TEST_URL });

module.exports = {
  type: "oauth2",
  oauth2Config: {
    authorizeUrl: {
      url: "{{process.env.AUTHORIZE_URL}}",
      params: {
        client_id: "{{process.env.CLIENT_ID}}",
        state: "{{bundle.inputData.state}}",
        redirect_uri: "{{bundle.inputData.redirect_uri}}",
        response_type: "code",
      },
    },
    getAccessToken,
    refreshAccessToken,
    autoRefresh: true,
  },
  fields: [],
  test,
  connectionLabel: "{{json.email}}",
};
