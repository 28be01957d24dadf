path "secret/data/shop/*"     { capabilities = ["read"] }
path "secret/metadata/shop/*" { capabilities = ["read"] }
path "secret/destroy/shop/*"  { capabilities = ["update"] }
