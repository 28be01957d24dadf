# The `default` policy grants it already.
path "auth/token/revoke-self" { capabilities = ["update"] }
