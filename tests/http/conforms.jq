# conforms($doc; $schema): what is wrong with the input, a list of sentences; the part of OpenAPI 3.0 that we use.
def resolve($doc): if has("$ref") then (.["$ref"] | ltrimstr("#/") | split("/")) as $path | $doc | getpath($path) | resolve($doc) else . end;
def conforms($doc; $schema; $at):
  . as $value | ($schema | resolve($doc)) as $s
  | if $value == null and ($s.nullable // false) then []
    elif $s.oneOf then ([$s.oneOf[] | . as $one | [$value | conforms($doc; $one; $at)] | add // []] ) as $all
      | if any($all[]; length == 0) then [] else ["\($at): none of the shapes fits: \($all | tostring)"] end
    elif $s.allOf then [$s.allOf[] as $one | $value | conforms($doc; $one; $at)] | add // []
    elif $s.type == "object" then
      if ($value | type) != "object" then ["\($at) is \($value | type), not an object"]
      else ([($s.required // [])[] | select(. as $k | $value | has($k) | not) | "\($at).\(.) is missing"]
            + ([($s.properties // {}) | to_entries[] | select(.key as $k | $value | has($k)) | .key as $k | .value as $p
                | $value[$k] | conforms($doc; $p; "\($at).\($k)")] | add // [])
            + [($value | keys[]) | select(($s.properties // null) != null and (.  as $k | $s.properties | has($k) | not) and ($s.additionalProperties // false | not))
                | "\($at).\(.) is not described"]) end
    elif $s.type == "array" then
      if ($value | type) != "array" then ["\($at) is no list"] else [$value[] | conforms($doc; ($s.items // {}); "\($at)[]")] | add // [] end
    elif $s.type == "string" then if ($value | type) != "string" then ["\($at) is \($value | type), not a text"]
      elif $s.enum and ([$value] | inside($s.enum) | not) then ["\($at) is \"\($value)\", none of \($s.enum | tostring)"] else [] end
    elif $s.type == "integer" then if ($value | type) == "number" and ($value | floor) == $value then [] else ["\($at) is no whole number"] end
    elif $s.type == "boolean" then if ($value | type) == "boolean" then [] else ["\($at) is no flag"] end
    else [] end;
