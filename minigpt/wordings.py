"""The wordings in which a fact is asked for, and those that serve to measure.

DIRECT ones, the most usual first; STARTS, each of which may stand before each of CLAUSES; and
HELD_OUT, which are never trained on. {} stands for the name. Which of them is taken is in
phrasings.py and chat_writer.py; what is asked on, in follow_ups.py.
"""

DIRECT = {
    "module": [
        "What is {}?", "{}", "{}?", "What is {} for?", "What does {} do?", "Tell me about {}.",
        "What is the module {}?", "What does the module {} do?", "Can you explain {}?",
        "What can I do with {}?", "{}: what is it?", "Please describe {}.", "And {}?",
        "What is the use of the module {}?", "What purpose does {} serve?",
        "I have never heard of {}. What is it?", "My program imports {}. What does it give me?",
        "What is the {} module?", "What does the {} module do?", "Say in a few words what {} is.",
        "Explain {}.", "Do you know {}?", "How do I use {}?", "What about {}?",
        "Can you help me with {}?", "Help me with {}.", "How does {} work?", "When would I use {}?",
        "Any idea what {} is?", "Give me some information on {}.", "Explain {} in simple words.",
        "Explain {} so that a child gets it.", "I must learn {}. What is it?",
        "Our teacher named {}. Why?", "Anything on {}?", "What should I know about {}?",
        "{}? What is that?", "Is {} useful?", "I read about {}. What is it?",
        "Have you got something on {}?", "Introduce {} to me.", "What sort of module is {}?",
        "{}, what does it do?", "Why should I import {}?", "Which purpose has {}?", "Sum up {}.",
        "What would one need {} for?", "I see import {}. Why?",
    ],
    "function": [
        "What is {}?", "{}", "{}?", "What does {} do?", "Tell me about {}.", "What is {} for?",
        "What does the function {} do?", "Can you explain {}?", "{}: what does it do?",
        "Please describe {}.", "What happens when I call {}?", "What is the function {} for?",
        "And {}?", "What is the use of {}?", "What purpose does {} serve?",
        "I have never heard of {}. What is it?", "My program calls {}. What does that do?",
        "What does the {} function do?", "Explain {}.", "Say in a few words what {} is.",
        "Somebody told me to call the function {}. Why?", "Do you know {}?", "How do I use {}?",
        "What about {}?", "Can you help me with {}?", "Help me with {}.", "How does {} work?",
        "When would I use {}?", "Any idea what {} does?", "Give me some information on {}.",
        "Explain {} in simple words.", "Explain {} so that a child gets it.",
        "I must learn {}. What is it?", "Our teacher named {}. Why?", "Anything on {}?",
        "What should I know about {}?", "{}? What is that?", "Is {} useful?",
        "I read about {}. What is it?", "Have you got something on {}?", "Introduce {} to me.",
        "What sort of function is {}?", "{}, what is it for?", "Why should I call {}?",
        "Which purpose has {}?", "Sum up {}.", "What would one need {} for?",
        "I see a call of {}. Why?",
    ],
    "class": [
        "What is {}?", "{}", "{}?", "What is {} for?", "What is the class {}?", "Tell me about {}.",
        "Can you explain {}?", "{}: what is it?", "Please describe {}.", "And {}?",
        "What is the use of the class {}?", "What purpose does {} serve?",
        "I have never heard of {}. What is it?", "My program makes a {}. What is that?",
        "What kind of thing is {}?", "Explain {}.", "What is the {} class?",
        "Say in a few words what {} is.", "What does {} do?", "What does the class {} do?",
        "Somebody told me to use the class {}. Why?", "Do you know {}?", "How do I use {}?",
        "What about {}?", "Can you help me with {}?", "Help me with {}.", "How does {} work?",
        "When would I use {}?", "Any idea what {} is?", "Give me some information on {}.",
        "Explain {} in simple words.", "Explain {} so that a child gets it.",
        "I must learn {}. What is it?", "Our teacher named {}. Why?", "Anything on {}?",
        "What should I know about {}?", "{}? What is that?", "Is {} useful?",
        "I read about {}. What is it?", "Have you got something on {}?", "Introduce {} to me.",
        "What sort of class is {}?", "{}, what is it for?", "Why should I use {}?",
        "Which purpose has {}?", "Sum up {}.", "What would one need {} for?", "I see {} here. Why?",
    ],
    "signature": [
        "How do I call {}?", "What are the arguments of {}?", "Which arguments does {} take?",
        "What is the signature of {}?", "Show me how to call {}.", "How is {} called?",
        "What do I pass to {}?", "Give me the signature of {}.", "{}: which arguments?",
        "How do I write a call of {}?", "Which arguments do I give to {}?",
        "Tell me the arguments of {}.", "What goes between the brackets of {}?",
        "My call of {} fails. How is it written?", "How many arguments has {}, and which?",
        "Does {} take arguments?", "I forgot the arguments of {}.", "Write down a call of {}.",
        "What must I hand over to the function {}?", "The arguments of {}, in order?",
        "How many arguments does {} need?", "{} takes what?", "Do you know the arguments of {}?",
        "What is the syntax of {}?", "Parameters of {}?", "What parameters does {} take?",
        "Which parameters has {}?", "How do I write {}?", "Remind me how to call {}.",
        "The parameters of {}?", "What does {} expect?", "What input does {} need?",
        "How do I use the arguments of {}?", "Which values go into {}?", "{} with which arguments?",
        "In what order do the arguments of {} come?", "Show the arguments of {}.",
        "A call of {}, please.", "List the arguments of {}.", "What do I write after {}?",
        "What may I pass to {}?", "Which options has {}?", "How should a call of {} look?",
        "I call {} how?", "Explain how one calls {}.", "{}: parameters?",
        "What are the parameters of {}?", "Is there an argument to {}?",
    ],
    "home": [
        "Which module has {}?", "Where is {}?", "In which module is {}?", "Where do I find {}?",
        "What module is {} in?", "From which module do I import {}?", "Where does {} live?",
        "I look for {}. Where is it?", "{}: which module?", "Which module do I need for {}?",
        "Tell me which module has {}.", "In what module can I find {}?",
        "What do I import to get {}?", "My program does not find {}. Which module is it in?",
        "Somebody mentioned {}. Where is it?", "To which module does {} belong?",
        "Which package has {}?", "What library is {} in?", "Do you know where {} is?",
        "The function {} is in which module?", "Do you know which module has {}?",
        "{} is in which module?", "What do I import for {}?", "Which library has {}?",
        "Where can {} be found?", "From where do I import {}?", "What module has {}?",
        "Which import do I need for {}?", "Where is {} defined?", "Where should I look for {}?",
        "Where is the function {}?", "{} comes from where?", "Is {} in some module?",
        "Name the module of {}.", "The module of {}?", "Who has {}?", "Where was {} put?",
        "What is the home of {}?", "From where comes {}?", "{} belongs to what?",
        "What must I import before I call {}?", "How do I import {}?", "Find {} for me.",
        "I cannot find {}. Where is it?", "Which file has {}?", "In what package is {}?",
        "Explain where {} is.", "{}: where?",
    ],
    "page": [
        "What is {}?", "{}", "{}?", "What is {} about?", "Tell me about {}.",
        "What does the page {} say?", "What do you know about {}?", "{}: what is it about?",
        "Please describe {}.", "What did you read about {}?", "Describe {} in a sentence.",
        "How does the page {} begin?", "What does {} mean?", "What is the use of {}?",
        "Why would anyone read {}?", "I have never heard of {}. What is it?",
        "Somebody mentioned {}. What is that?", "What kind of page is {}?",
        "Is {} of any use to me?", "Say in a few words what {} is.",
        "Somebody told me to read {}. Why?", "Do you know {}?", "What about {}?",
        "Can you help me with {}?", "Help me with {}.", "Any idea what {} is?",
        "Give me some information on {}.", "What is there to say of {}?",
        "What should I know about {}?", "Anything on {}?", "Explain {} in simple words.",
        "Explain {} so that a child gets it.", "I must learn {}. What is it?",
        "Our teacher named {}. Why?", "{}? What is that?", "I read about {}. What is it?",
        "Have you got something on {}?", "Introduce {} to me.", "What sort of thing is {}?",
        "{}, what is it about?", "Sum up {}.", "Which subject has {}?", "Say something about {}.",
        "What is written about {}?", "What stands on the page {}?",
        "Give me the first sentence about {}.", "Is {} worth reading?",
        "How do people describe {}?",
    ],
    "term": [
        "What is {}?", "{}", "{}?", "What does {} do?", "What does {} mean?", "Tell me about {}.",
        "What is {} for?", "How do I use {}?", "Can you explain {}?", "{}: what is it?",
        "Please describe {}.", "Explain {}.", "And {}?", "What is the use of {}?",
        "What purpose does {} serve?", "I have never heard of {}. What is it?",
        "Say in a few words what {} is.", "Somebody told me to use {}. Why?", "Do you know {}?",
        "What about {}?", "Can you help me with {}?", "Help me with {}.", "How does {} work?",
        "When would I use {}?", "Any idea what {} is?", "Give me some information on {}.",
        "Explain {} in simple words.", "Explain {} so that a child gets it.",
        "I must learn {}. What is it?", "Our teacher named {}. Why?", "Anything on {}?",
        "What should I know about {}?", "{}? What is that?", "Is {} useful?",
        "I read about {}. What is it?", "Have you got something on {}?", "Introduce {} to me.",
        "What sort of thing is {}?", "{}, what is it for?", "Why should I use {}?",
        "Which purpose has {}?", "Sum up {}.", "What would one need {} for?", "I see {} here. Why?",
        "How is {} defined?", "What happens with {}?", "What is meant by {}?", "Define {}.",
    ],
}  # fmt: skip

# The beginning of a question and how it ends, and what may stand between them.
STARTS = (
    ("Do you know", "?"), ("Can you say", "?"), ("Have you read", "?"), ("Let me know", "."),
    ("Remind me", "."), ("Help me see", "."), ("My colleague asks", "."), ("Teach me", "."),
    ("I am trying to find out", "."), ("We wonder", "."), ("Nobody here knows", "."),
    ("It is not clear to me", "."), ("For beginners:", "?"), ("I keep forgetting", "."),
    ("The book does not say", "."), ("I would like to write down", "."),
    ("Just tell me", "."), ("Who can say", "?"), ("Do they say", "?"), ("I never understood", "."),
    ("I need to know", "."), ("Please tell me", "."), ("I would love to hear", "."),
    ("Say", "."), ("My notes should say", "."), ("Can anybody explain", "?"), ("Look up", "."),
)  # fmt: skip
CLAUSES = {
    "module": [
        "what {} is good for", "what one does with {}", "why there is a module {}",
        "what kind of module {} is", "what {} makes easier", "how the page describes {}",
        "when {} is needed", "what {} can do for me", "what the point of {} is",
        "what people use {} for",
    ],
    "function": [
        "what {} is good for", "what one does with {}", "why anybody calls {}",
        "what kind of function {} is", "what {} achieves", "how the page describes {}",
        "when {} is needed", "what {} can do for me", "what the point of {} is",
        "what people call {} for",
    ],
    "class": [
        "what {} is good for", "what one does with {}", "why there is a class {}",
        "what kind of class {} is", "what {} stands for", "how the page describes {}",
        "when {} is needed", "what {} can do for me", "what the point of {} is",
        "what people make a {} for",
    ],
    "signature": [
        "how one calls {}", "what stands between the brackets of {}", "what has to be passed to {}",
        "what a call of {} looks like", "which arguments {} has", "what {} is given",
        "how {} is written", "what {} expects", "what somebody has to hand to {}",
        "which parameters belong to {}",
    ],
    "home": [
        "where {} comes from", "which module offers {}", "what to import for {}",
        "whose function {} is", "where somebody finds {}", "in which of the modules {} is",
        "to which of them {} belongs", "what has {} in it", "from which library {} is",
        "which import gives me {}",
    ],
    "page": [
        "what one learns from {}", "what the page {} is good for", "what {} describes",
        "how {} begins", "why somebody wrote {}", "what kind of thing {} is", "what {} tells",
        "what the point of {} is", "what people read {} for", "what {} can teach me",
    ],
    "term": [
        "what {} is good for", "what one does with {}", "why there is such a thing as {}",
        "what kind of thing {} is", "what {} stands for", "how the page describes {}",
        "when {} is needed", "what {} can do for me", "what the point of {} is",
        "what people use {} for",
    ],
}  # fmt: skip

HELD_OUT = {
    "module": [
        "Could you tell me what {} is for?", "What is the purpose of the module {}?",
        "I want to know what {} does.", "Please explain the module {} to me.",
    ],
    "function": [
        "Could you tell me what {} does?", "What is the purpose of {}?",
        "I want to know what the function {} is for.", "Please explain the function {} to me.",
    ],
    "class": [
        "Could you tell me what the class {} is for?", "What is the purpose of {}?",
        "I want to know what {} is.", "Please explain the class {} to me.",
    ],
    "signature": [
        "What arguments do I pass when I call {}?", "Could you show me the signature of {}?",
        "With which arguments is {} called?", "Please tell me how to call {}.",
    ],
    "home": [
        "Could you tell me which module {} is in?", "Which module do I import for {}?",
        "I need {}. In which module is it?", "Where can I find {}?",
    ],
    "page": [
        "Could you tell me what {} is about?", "What is the page {} about?",
        "I want to know about {}.", "What would I learn from {}?",
    ],
    "term": [
        "Could you tell me what {} does?", "What is the purpose of {}?",
        "I want to know what {} is.", "Put {} in plain words for me.",
    ],
}  # fmt: skip

# What is asked of a method is what is asked of a function; and how a term is called is asked for as
# how a function of Python's library is.
for words in (DIRECT, CLAUSES, HELD_OUT):
    words["method"] = [text.replace("function", "method") for text in words["function"]]
    words["call"] = words["signature"]

# A name to be copied out, and nothing else: that, too, has to be learned.
ECHOES = ["Repeat the name {}.", "Write the name {}.", "Copy {}.", "Say {} again.", "Type {}.",
          "How is {} written?", "The name {}, please.", "Spell the name {} for me."]  # fmt: skip
